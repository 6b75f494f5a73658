#include "formats/quantized_source.h"

#include <string_view>

namespace sgmv {
namespace {

constexpr int32_t kQuantizedFile = -1;  // TensorInfo::file of a matrix that is widened
constexpr std::string_view kWeight = ".weight";

}  // namespace

std::unique_ptr<QuantizedMatrix> QuantizedSource::open(const std::string& module) const {
  using Method = Quantization::Method;
  switch (how_.method) {
    case Method::none:
    case Method::mxfp4: break;  // Mxfp4Source
    case Method::compressed_tensors: return open_compressed_matrix({*stored_, module}, how_);
    case Method::awq: return open_awq_matrix({*stored_, module}, how_);
    case Method::gptq: return open_gptq_matrix({*stored_, module}, how_);
    case Method::bitsandbytes: return open_bitsandbytes_matrix({*stored_, module});
  }
  return nullptr;
}

const TensorInfo* QuantizedSource::find(const std::string& name) const {
  if (!name.ends_with(kWeight)) return stored_->find(name);
  const auto known = opened_.find(name);
  if (known != opened_.end()) return known->second.matrix == nullptr ? stored_->find(name) : &known->second.info;
  Opened opened;
  opened.matrix = open(name.substr(0, name.size() - kWeight.size()));
  if (opened.matrix != nullptr) {
    const QuantizedMatrix& matrix = *opened.matrix;
    const DType form = matrix.exact_form();
    const auto blocks = static_cast<uint64_t>(matrix.out * matrix.in / dtype_block(form));
    opened.info = {form, dtype_name(form), {matrix.out, matrix.in}, matrices_.size(), blocks * static_cast<uint64_t>(dtype_block_bytes(form)), kQuantizedFile};
    matrices_.push_back(&matrix);
  }
  const Opened& kept = opened_.emplace(name, std::move(opened)).first->second;
  return kept.matrix == nullptr ? stored_->find(name) : &kept.info;
}

std::vector<std::byte> QuantizedSource::read(const TensorInfo& info) const {
  if (info.file != kQuantizedFile) return stored_->read(info);
  std::vector<std::byte> numbers(info.bytes);
  const QuantizedMatrix& matrix = *matrices_[info.offset];
  if (info.dtype == DType::f32) matrix.widen(reinterpret_cast<float*>(numbers.data()));
  else matrix.write_blocks(info.dtype, numbers.data());
  return numbers;
}

}  // namespace sgmv
