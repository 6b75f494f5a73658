// adapter_config.json beside a sound adapter_model.safetensors.
#include "formats/peft_config.h"
#include "peft_check.h"

using namespace sgmv;

namespace {

struct Folder {
  fuzz::MemoryFile config, weights;
  fuzz::MemoryFolder folder;
  Folder() {
    weights.write(fuzz::corpus_file("peft_tensors/all-r2.safetensors"));
    folder.add(kAdapterConfigFile, config);
    folder.add(kAdapterWeightsFile, weights);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Folder files;
  files.config.write(fuzz::as_text(data, size));
  fuzz::check_adapter(files.folder.path());
  return 0;
}
