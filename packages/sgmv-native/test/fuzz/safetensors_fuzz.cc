// A safetensors file: its header and, for what the header admits, every tensor's data.
#include "formats/format_error.h"
#include "formats/safetensors.h"
#include "fuzz_files.h"

using namespace sgmv;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::MemoryFile memory;
  memory.write(fuzz::as_text(data, size));
  try {
    const SafetensorsFile file(memory.path());
    uint64_t total = 0;
    for (const auto& [name, info] : file.tensors()) {
      fuzz::require(file.read(info).size() == info.bytes, "a tensor's data has another size than its header says");
      total += info.bytes;
    }
    fuzz::require(total <= size, "the tensors overlap");
  } catch (const FormatError&) {
  }
  return 0;
}
