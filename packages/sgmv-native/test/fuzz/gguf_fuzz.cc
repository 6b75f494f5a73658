// A GGUF file: metadata, the model configuration in it, and every tensor's values.
#include <vector>

#include "formats/format_error.h"
#include "formats/gguf.h"
#include "fuzz_files.h"
#include "models/config_gguf.h"
#include "sgmv/error.h"

using namespace sgmv;

namespace {

void read_tensors(const GgufFile& file) {
  std::vector<float> values;
  for (const auto& [name, info] : file.tensors()) {
    const std::vector<std::byte> stored = file.read(info);
    if (info.dtype == DType::other) continue;
    values.resize(static_cast<size_t>(info.elements()));
    dequantize(info.dtype, stored.data(), info.elements(), values.data());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::MemoryFile memory;
  memory.write(fuzz::as_text(data, size));
  try {
    const GgufFile file(memory.path());
    read_tensors(file);
    config_from_gguf(file);
  } catch (const FormatError&) {
  } catch (const Error&) {
  }
  return 0;
}
