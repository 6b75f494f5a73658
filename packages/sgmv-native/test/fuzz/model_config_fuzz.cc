// A model's config.json, and the rotary frequencies that follow from it.
#include "fuzz_files.h"
#include "layers/rope_table.h"
#include "sgmv/error.h"
#include "sgmv/model_config.h"

using namespace sgmv;

namespace {

struct Folder {
  fuzz::MemoryFile config;
  fuzz::MemoryFolder folder;
  Folder() { folder.add("config.json", config); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Folder files;
  files.config.write(fuzz::as_text(data, size));
  try {
    const ModelConfig config = read_model_config(files.folder.path());
    fuzz::require(config.heads % config.kv_heads == 0, "heads that cannot share keys were admitted");
    RopeTable(config.rope, config.head_dim).reserve(2);
  } catch (const Error&) {
  }
  return 0;
}
