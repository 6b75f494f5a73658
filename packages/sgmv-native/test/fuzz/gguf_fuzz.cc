// A GGUF file: metadata, the model configuration in it, every tensor's values, and the model's weights.
#include <vector>

#include "formats/format_error.h"
#include "formats/gguf.h"
#include "fuzz_files.h"
#include "models/config_gguf.h"
#include "models/decoder_weights.h"
#include "sgmv/error.h"

using namespace sgmv;

namespace {

constexpr int32_t kLayersMax = 4;  // more of them are the same

void read_tensors(const GgufFile& file) {
  std::vector<float> values;
  for (const auto& [name, info] : file.tensors()) {
    const std::vector<std::byte> stored = file.read(info);
    if (info.dtype == DType::other) continue;
    values.resize(static_cast<size_t>(info.elements()));
    dequantize(info.dtype, stored.data(), info.elements(), values.data());
  }
}

struct OneFile {
  fuzz::MemoryFile file;
  fuzz::MemoryFolder folder;
  OneFile() { folder.add("model.gguf", file); }
  std::filesystem::path path() const { return folder.path() / "model.gguf"; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static OneFile memory;
  memory.file.write(fuzz::as_text(data, size));
  try {
    const GgufFile file(memory.path());
    read_tensors(file);
    const ModelConfig config = config_from_gguf(file);
    if (config.layers <= kLayersMax) load_decoder_weights(memory.path(), config, WeightType::f32);
  } catch (const FormatError&) {
  } catch (const Error&) {
  }
  return 0;
}
