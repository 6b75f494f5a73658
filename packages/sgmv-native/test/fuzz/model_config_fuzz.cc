// A model's config.json, and the rotary frequencies that follow from it.
#include <cmath>

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
    const auto one_per_layer = [&](const std::vector<bool>& of_layers) { return of_layers.empty() || of_layers.size() == static_cast<size_t>(config.layers); };
    fuzz::require(one_per_layer(config.layer_is_sliding) && one_per_layer(config.layer_has_rope) && one_per_layer(config.experts.layer_has_none), "a list of another length than the layers was admitted");
    fuzz::require(config.experts.per_token <= config.experts.count && config.experts.count <= 1024, "more experts than there are were admitted");
    for (const float factor : {config.embedding_scale, config.query_scale(0, INT32_MAX), config.logit_scale, config.rms_norm_eps})
      fuzz::require(std::isfinite(factor), "a factor without end was admitted");
    RopeTable(config.rope, config.head_dim).reserve(2);
    if (config.sliding_rope) RopeTable(*config.sliding_rope, config.head_dim).reserve(2);
  } catch (const Error&) {
  }
  return 0;
}
