// The tensors of quantized matrices, read as every method would: what belongs together is widened.
#include "formats/format_error.h"
#include "formats/mxfp4_source.h"
#include "formats/quantized_source.h"
#include "formats/safetensors.h"
#include "fuzz_files.h"
#include "sgmv/error.h"

using namespace sgmv;

namespace {

constexpr uint64_t kNumbersPerByteMax = 4;  // of two bits each

Quantization method(Quantization::Method method, std::initializer_list<int32_t> bits) {
  Quantization how{.method = method, .zeros_less_one = true};
  for (const int32_t of_scheme : bits) how.schemes.push_back({.bits = of_scheme});
  for (const int32_t size : {8, 12}) how.schemes.push_back({.bits = 4, .group_size = size});
  how.schemes.push_back({.bits = 8, .packed = false});
  return how;
}

const Quantization kMethods[] = {
    method(Quantization::Method::compressed_tensors, {2, 4, 8}),
    method(Quantization::Method::awq, {4}),
    method(Quantization::Method::gptq, {2, 3, 4}),
    method(Quantization::Method::bitsandbytes, {}),
};

void read_matrix(const QuantizedSource& source, const std::string& name, size_t bytes) {
  try {
    const TensorInfo* info = source.find(name);
    if (info == nullptr || info->dtype != DType::f32) return;
    fuzz::require(info->elements() >= 0 && static_cast<uint64_t>(info->elements()) <= kNumbersPerByteMax * bytes, "a matrix of more numbers than the file holds was admitted");
    fuzz::require(source.read(*info).size() == info->bytes, "a matrix has another size than it says");
  } catch (const Error&) {
  }
}

void read_stacked(const Mxfp4Source& source, const std::string& name, size_t bytes) {
  try {
    const TensorInfo* info = source.find(name);
    if (info == nullptr || info->dtype != DType::mxfp4) return;
    fuzz::require(info->elements() > 0 && static_cast<uint64_t>(info->elements()) <= kNumbersPerByteMax * bytes, "matrices of more numbers than the file holds were admitted");
    TensorInfo last = *info;  // row
    last.bytes /= static_cast<uint64_t>(info->shape[0] * info->shape[1]);
    last.offset += info->bytes - last.bytes;
    const std::vector<std::byte> all = source.read(*info), some = source.read(last);
    fuzz::require(all.size() == info->bytes && std::equal(some.rbegin(), some.rend(), all.rbegin()), "a row is another one alone");
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fuzz::MemoryFile memory;
  memory.write(fuzz::as_text(data, size));
  try {
    for (const Quantization& how : kMethods) {
      const QuantizedSource source(std::make_unique<SafetensorsFile>(memory.path()), how);
      for (const auto& [name, info] : source.tensors())
        if (const size_t end = name.find("_proj."); end != std::string::npos) read_matrix(source, name.substr(0, end) + "_proj.weight", size);
    }
    const Mxfp4Source stacked(std::make_unique<SafetensorsFile>(memory.path()));
    constexpr std::string_view end = "_blocks";
    for (const auto& [name, info] : stacked.tensors())
      if (name.ends_with(end)) read_stacked(stacked, name.substr(0, name.size() - end.size()), size);
  } catch (const FormatError&) {
  }
  return 0;
}
