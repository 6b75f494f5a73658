#include "models/checkpoint.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "formats/gguf.h"
#include "formats/module_names.h"
#include "formats/mxfp4_source.h"
#include "formats/quantized_source.h"
#include "formats/safetensors.h"
#include "models/config_gguf.h"
#include "models/layer_tensors.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

bool lies_by_input(const Checkpoint::Part& part, const TensorInfo* info) { return part.transposed && !(part.bare && info != nullptr && info->dtype == DType::mxfp4); }

// `count` columns of [rows, columns] from `first` on, as rows.
template <typename Number>
std::vector<std::byte> columns_as_rows(const std::vector<std::byte>& from, int64_t rows, int64_t columns, int64_t first, int64_t count) {
  constexpr int64_t kTile = 16;  // rows whose lines are at hand together
  std::vector<std::byte> to(static_cast<size_t>(rows * count) * sizeof(Number));
  for (int64_t row = 0; row < rows; row += kTile)
    for (int64_t column = 0; column < count; ++column)
      for (int64_t i = row; i < std::min(rows, row + kTile); ++i)
        std::memcpy(to.data() + static_cast<size_t>(column * rows + i) * sizeof(Number), from.data() + static_cast<size_t>(i * columns + first + column) * sizeof(Number), sizeof(Number));
  return to;
}

// In the order of `order`, empty: as they are.
std::vector<float> ordered(std::vector<float> values, const std::vector<int32_t>& order) {
  if (order.empty()) return values;
  std::vector<float> result(values.size());
  for (size_t i = 0; i < result.size(); ++i) result[i] = values[static_cast<size_t>(order[i])];
  return result;
}

// Of rows, the last of which are value heads of a size, in the order of their key heads: where each lies when llama.cpp has put the
// first head of every key head before the second ones.
std::vector<int32_t> tiled_order(const LinearAttentionShape& shape, int64_t rows, int64_t head_rows) {
  std::vector<int32_t> order(static_cast<size_t>(rows));
  const int64_t first = rows - shape.value_heads * head_rows;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t head = (row - first) / head_rows, from = head % shape.per_key_head() * shape.key_heads + head / shape.per_key_head();
    order[static_cast<size_t>(row)] = static_cast<int32_t>(row < first ? row : row + (from - head) * head_rows);
  }
  return order;
}

}  // namespace

Checkpoint::Checkpoint(const std::filesystem::path& weights, const ModelConfig& config, WeightType compute)
    : config_(config), compute_(compute) {
  if (weights.extension() == ".gguf") {
    source_ = std::make_unique<GgufFile>(weights);
    gguf_ = true;
  } else {
    source_ = open_safetensors_folder(weights);
    if (config.quantization.method == Quantization::Method::mxfp4) source_ = std::make_unique<Mxfp4Source>(std::move(source_));
    else if (config.quantization.method != Quantization::Method::none) source_ = std::make_unique<QuantizedSource>(std::move(source_), config.quantization);
    for (const char* prefix : kWrappedPrefixes)
      if (source_->find(kEmbeddingTensor) == nullptr && source_->find(std::string(prefix) + "embed_tokens.weight") != nullptr) layers_prefix_ = prefix;
    if (config.model_type == "nemotron_h" && source_->find("backbone.embeddings.weight") != nullptr) layers_prefix_ = "backbone.";
  }
}

std::string Checkpoint::stored_name(const std::string& name) const {
  if (gguf_) return gguf_tensor_name(name, config_);
  if (config_.model_type == "nemotron_h" && name == kEmbeddingTensor) return layers_prefix_ + "embeddings.weight";
  if (name.starts_with(kModulePrefix)) return layers_prefix_ + name.substr(kModulePrefix.size());
  const std::string wrapped = "language_model." + name;  // the head
  return source_->find(name) == nullptr && source_->find(wrapped) != nullptr ? wrapped : name;
}

const TensorInfo* Checkpoint::find(const std::string& name) const {
  return source_->find(stored_name(name));
}

const TensorInfo& Checkpoint::require(const std::string& name, const std::vector<int64_t>& shape) const {
  const TensorInfo* info = find(name);
  const std::string shown = stored_name(name);
  if (info == nullptr) throw Error("model_corrupt", shown + ": found no such tensor, expected shape " + shape_text(shape));
  if (info->shape != shape)
    throw Error("model_corrupt", shown + ": found shape " + shape_text(info->shape) + ", expected " + shape_text(shape));
  if (info->dtype == DType::other || (info->dtype == DType::f8_e4m3 && shape.size() < 2))
    throw Error("model_unsupported", shown + ": found type " + info->dtype_text + ", expected F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K, IQ4_NL, IQ4_XS or MXFP4, or F8_E4M3 of a matrix");
  return *info;
}

std::vector<int64_t> Checkpoint::shape(const std::string& name) const {
  const TensorInfo* info = find(name);
  return info == nullptr ? std::vector<int64_t>() : info->shape;
}

DType Checkpoint::rounded_type(const std::string& name) const {
  const TensorInfo* info = gguf_ ? find(name) : nullptr;
  return info == nullptr ? DType::f32 : info->dtype;
}

// Of a transposed part all of the expert's columns.
TensorInfo Checkpoint::require(const Part& part, int64_t in) const {
  const std::string name = part.tensor();
  const TensorInfo* info = find(name);
  if (part.expert < 0 && part.stacked_rows == 0) {
    // A matrix of one row is a vector in GGUF.
    if (part.out != 1 || info == nullptr || info->shape.size() != 1) return require(name, {part.out, in});
    TensorInfo row = require(name, {in});
    row.shape = {1, in};
    return row;
  }
  const int64_t experts = part.matrices > 0 ? part.matrices : config_.experts.count, matrix = std::max(0, part.expert);
  const bool transposed = lies_by_input(part, info);
  TensorInfo rows = require(name, part.expert < 0 ? std::vector{part.stacked_rows, in} : transposed ? std::vector{experts, in, part.stacked_rows} : std::vector{experts, part.stacked_rows, in});
  if (transposed) {
    rows.bytes /= static_cast<uint64_t>(experts);
    rows.offset += rows.bytes * static_cast<uint64_t>(matrix);
    rows.shape = {in, part.stacked_rows};
    return rows;
  }
  const uint64_t row_bytes = rows.bytes / static_cast<uint64_t>((part.expert < 0 ? 1 : experts) * part.stacked_rows);
  rows.offset += row_bytes * static_cast<uint64_t>(matrix * part.stacked_rows + part.first_row);
  rows.bytes = row_bytes * static_cast<uint64_t>(part.out);
  rows.shape = {part.out, in};
  return rows;
}

std::vector<std::byte> Checkpoint::read(const std::string& name, const TensorInfo& info) const {
  std::vector<std::byte> data = source_->read(info);
  const int64_t bad = first_not_finite(info.dtype, data.data(), info.elements());
  if (bad >= 0)
    throw Error("model_corrupt", name + ": found NaN or infinity at element " + std::to_string(bad) + ", expected finite numbers");
  return data;
}

// Of all of it, of rows, of columns or of blocks, where experts lie in one tensor of each by itself; DeepSeek's and Transformers'
// weight_scale_inv is multiplied too. Blocks that are not the configuration's are as many even ones as there are scales: of Transformers,
// one of gate and one of up.
Checkpoint::Scales Checkpoint::scales_of(const std::string& name, const MatrixPlace& place) const {
  const std::string scale = has(name + "_scale_inv") ? name + "_scale_inv" : name + "_scale";
  const TensorInfo* found = find(scale);
  if (found == nullptr) throw Error("model_corrupt", stored_name(name) + "_scale: found no such tensor, expected the scales of an F8_E4M3 matrix");
  if (found->dtype != DType::f32 && found->dtype != DType::bf16 && found->dtype != DType::f16)
    throw Error("model_unsupported", stored_name(scale) + ": found type " + found->dtype_text + ", expected F32, BF16 or F16");
  const int64_t rows = place.rows, columns = place.columns;
  const auto blocks = [](int64_t numbers, int64_t block) { return (numbers + block - 1) / block; };
  const std::vector<int64_t> usual{blocks(rows, config_.scale_block_rows), blocks(columns, config_.scale_block_columns)};
  const auto refuse = [&] {
    const std::string of_each = place.matrices > 0 ? " for each of " + std::to_string(place.matrices) + " matrices" : "";
    throw Error("model_corrupt", stored_name(scale) + ": found shape " + shape_text(found->shape) + ", expected [1], " + shape_text({rows, 1}) + " or " + shape_text(usual) + of_each);
  };
  TensorInfo info = *found;
  std::vector<int64_t> grid = info.shape;
  if (place.matrices > 0 && info.elements() > 1) {
    if (grid[0] != place.matrices) refuse();
    grid.erase(grid.begin());
    info.bytes /= static_cast<uint64_t>(place.matrices);
    info.offset += info.bytes * static_cast<uint64_t>(place.matrix);
    info.shape = grid;
  }
  if (info.elements() == 1) grid = {1, 1};
  else if (grid.size() == 1) grid.push_back(1);
  if (place.by_input && grid == std::vector<int64_t>{columns, 1}) grid = {1, columns};  // a scale for each output
  Scales scales{numbers(scale, info), 1, 1, 1};
  if (grid == usual && info.elements() > 1) {
    scales.block_rows = config_.scale_block_rows;
    scales.block_columns = config_.scale_block_columns;
  } else {
    const bool even = grid.size() == 2 && grid[0] > 0 && grid[1] > 0 && rows % grid[0] == 0 && columns % grid[1] == 0;
    if (!even || (place.matrices == 0 && grid != std::vector<int64_t>{1, 1} && grid != std::vector<int64_t>{rows, 1})) refuse();
    scales.block_rows = rows / grid[0];
    scales.block_columns = columns / grid[1];
  }
  scales.columns = grid[1];
  return scales;
}

// `info`: of rows of a matrix from place.first_row on.
Checkpoint::Rows Checkpoint::rows(const std::string& name, const TensorInfo& info, MatrixPlace place) const {
  Rows stored{rows_type(info), read(name, info)};
  if (info.dtype != DType::f8_e4m3) return stored;
  const int64_t count = info.shape[0], in = info.shape[1];
  if (place.rows == 0) place.rows = count;
  place.columns = in;
  const Scales scales = scales_of(name, place);
  std::vector<std::byte> wide(static_cast<size_t>(count * in) * sizeof(float));
  std::vector<float> row(static_cast<size_t>(in));
  for (int64_t i = 0; i < count; ++i) {
    dequantize(info.dtype, stored.data.data() + i * in, in, row.data());
    const float* scale = scales.values.data() + (place.first_row + i) / scales.block_rows * scales.columns;
    for (int64_t k = 0; k < in; ++k) row[static_cast<size_t>(k)] *= scale[k / scales.block_columns];
    std::memcpy(wide.data() + static_cast<size_t>(i * in) * sizeof(float), row.data(), row.size() * sizeof(float));
  }
  if (const int64_t bad = first_not_finite(DType::f32, wide.data(), count * in); bad >= 0)
    throw Error("model_corrupt", stored_name(name) + ": found a number beyond float32 at element " + std::to_string(bad) + " times its scale, expected finite numbers");
  return {DType::f32, std::move(wide)};
}

Checkpoint::Rows Checkpoint::rows(const Part& part, int64_t in) const {
  const TensorInfo info = require(part, in);
  MatrixPlace place;
  if (part.expert >= 0) place = {part.matrices > 0 ? part.matrices : config_.experts.count, part.expert};
  place.by_input = lies_by_input(part, &info);
  if (part.stacked_rows > 0 && !place.by_input) place.rows = part.stacked_rows, place.first_row = part.first_row;
  Rows stored = rows(part.tensor(), info, place);
  if (has_tiled_inputs(part)) return by_key_head(std::move(stored));
  if (!lies_by_input(part, &info)) return stored;
  widen_blocks(stored);
  const auto turn = dtype_block_bytes(stored.dtype) == sizeof(float) ? columns_as_rows<float> : columns_as_rows<uint16_t>;
  stored.data = turn(stored.data, in, part.stacked_rows, part.first_row, part.out);
  return stored;
}

// WeightType::f32 keeps MXFP4 in blocks of 8 bits only if they hold all of it.
DType Checkpoint::form_type(const TensorInfo& info, WeightType compute) const {
  if (info.dtype != DType::mxfp4 || compute != WeightType::f32) return rows_type(info);
  const std::vector<std::byte> stored = source_->read(info);
  std::array<std::byte, 34> block;
  for (size_t at = 0; at < stored.size(); at += static_cast<size_t>(dtype_block_bytes(DType::mxfp4)))
    if (!table_to_q8_0(DType::mxfp4, stored.data() + at, block.data())) return DType::f32;
  return DType::mxfp4;
}

DType Checkpoint::form_type(const Part& part, int64_t in, WeightType compute) const {
  const TensorInfo info = require(part, in);
  const bool widened = splits_blocks(part, info.dtype) || (lies_by_input(part, &info) && dtype_block(info.dtype) > 1);
  return widened ? DType::f32 : form_type(info, compute);
}

bool Checkpoint::has_tiled_inputs(const Part& part) const { return config_.tiled_value_heads && part.module.ends_with(".linear_attn.out_proj"); }

// Whether blocks hold inputs of two heads, so that their numbers cannot stay together.
bool Checkpoint::splits_blocks(const Part& part, DType dtype) const { return has_tiled_inputs(part) && config_.linear.value_dim % dtype_block(dtype) != 0; }

void Checkpoint::widen_blocks(Rows& stored) {
  if (dtype_block(stored.dtype) == 1) return;
  const int64_t elements = static_cast<int64_t>(stored.data.size()) / dtype_block_bytes(stored.dtype) * dtype_block(stored.dtype);
  std::vector<std::byte> wide(static_cast<size_t>(elements) * sizeof(float));
  dequantize(stored.dtype, stored.data.data(), elements, reinterpret_cast<float*>(wide.data()));
  stored = {DType::f32, std::move(wide)};
}

// Inputs by value heads in the checkpoint's order, out of the file's.
Checkpoint::Rows Checkpoint::by_key_head(Rows stored) const {
  const int64_t heads = config_.linear.value_heads, dim = config_.linear.value_dim;
  if (dim % dtype_block(stored.dtype) != 0) widen_blocks(stored);
  const auto head_bytes = static_cast<size_t>(dim / dtype_block(stored.dtype) * dtype_block_bytes(stored.dtype)), row_bytes = head_bytes * static_cast<size_t>(heads);
  const std::vector<int32_t> order = tiled_order(config_.linear, heads, 1);
  std::vector<std::byte> ordered(stored.data.size());
  for (size_t row = 0; row < ordered.size(); row += row_bytes)
    for (size_t head = 0; head < order.size(); ++head)
      std::memcpy(ordered.data() + row + head * head_bytes, stored.data.data() + row + static_cast<size_t>(order[head]) * head_bytes, head_bytes);
  return {stored.dtype, std::move(ordered)};
}

// Row i of the checkpoint's order in the file's order; empty when they agree. In the file a head's rows are
// (0, half), (1, half + 1) …; Hugging Face has the first halves, then the second ones, which is also the order of
// the rows of LoRA matrices.
std::vector<int32_t> Checkpoint::row_order(const std::string& name, int64_t rows) const {
  const bool by_value_head = name.find(".linear_attn.") != std::string::npos && !name.ends_with(".norm.weight") && !name.ends_with(".out_proj");
  if (config_.tiled_value_heads && by_value_head) return tiled_order(config_.linear, rows, rows <= config_.linear.value_heads ? 1 : config_.linear.value_dim);
  const bool rotated = name.find("q_proj") != std::string::npos || name.find("k_proj") != std::string::npos;
  if (!config_.interleaved_heads || !rotated) return {};
  std::vector<int32_t> order(static_cast<size_t>(rows));
  const int32_t dim = config_.head_dim, half = dim / 2;
  for (int32_t row = 0; row < rows; ++row) {
    const int32_t in_head = row % dim;
    order[static_cast<size_t>(row)] = row - in_head + in_head % half * 2 + in_head / half;
  }
  return order;
}

std::vector<int32_t> Checkpoint::row_order(const Part& part) const {
  if (!part.in_turns) return row_order(part.module, part.out);
  std::vector<int32_t> order(static_cast<size_t>(part.out));
  const auto half = static_cast<int32_t>(part.out / 2);
  for (int32_t i = 0; i < half; ++i) {
    order[static_cast<size_t>(i)] = 2 * i;
    order[static_cast<size_t>(half + i)] = 2 * i + 1;
  }
  return order;
}

std::vector<float> Checkpoint::vector(const std::string& name, int64_t size) const {
  // ERNIE's biases of the choice have a dimension more, and of Mamba-2's vectors llama.cpp makes columns or a row for each group.
  const std::vector<int64_t> stored_shape = shape(name), row{1, size};
  const bool folded = stored_shape == row || (gguf_ && config_.linear.is_mamba() && stored_shape.size() == 2 && stored_shape[0] * stored_shape[1] == size);
  const TensorInfo& info = require(name, folded ? stored_shape : std::vector{size});
  if (size % dtype_block(info.dtype) != 0) throw Error("model_corrupt", name + ": found " + info.dtype_text + ", expected F32");
  std::vector<float> stored(static_cast<size_t>(size));
  dequantize(info.dtype, read(name, info).data(), size, stored.data());
  return ordered(std::move(stored), row_order(name, size));
}

std::vector<float> Checkpoint::norm(const std::string& name, int64_t size) const {
  std::vector<float> weights = vector(name, size);
  // llama.cpp's converter has added the one already.
  if (config_.unit_offset_norms && !gguf_)
    for (float& weight : weights) weight += 1.0f;
  return weights;
}

std::vector<float> Checkpoint::residual_norm(const std::string& name) const {
  std::vector<float> weights = config_.norm_weights ? norm(name, config_.hidden_size) : std::vector<float>(static_cast<size_t>(config_.hidden_size), 1.0f);
  if (!config_.layer_norms) return weights;
  const std::vector<float> bias = config_.norm_biases ? vector(name.substr(0, name.rfind('.')) + ".bias", config_.hidden_size) : std::vector<float>(weights.size());
  weights.insert(weights.end(), bias.begin(), bias.end());
  return weights;
}

// Where each head has its own, they are one matrix or, in StableLM's safetensors, a tensor for each head.
std::vector<float> Checkpoint::heads_norm(const std::string& name, int32_t heads, int64_t dim) const {
  if (!config_.qk_layer_norms) return norm(name, config_.qk_norm_of_all ? heads * dim : dim);
  if (has(name)) return numbers(name, require(name, {heads, dim}));
  std::vector<float> weights;
  for (int32_t head = 0; head < heads; ++head) {
    const std::vector<float> own = vector(name.substr(0, name.rfind('.')) + ".norms." + std::to_string(head) + ".weight", dim);
    weights.insert(weights.end(), own.begin(), own.end());
  }
  return weights;
}

// Of a tensor, or of a part of one, without blocks.
std::vector<float> Checkpoint::numbers(const std::string& name, const TensorInfo& info) const {
  if (dtype_block(info.dtype) != 1) throw Error("model_corrupt", stored_name(name) + ": found " + info.dtype_text + ", expected F32");
  std::vector<float> values(static_cast<size_t>(info.elements()));
  dequantize(info.dtype, read(name, info).data(), info.elements(), values.data());
  return values;
}

std::vector<float> Checkpoint::conv(const std::string& name) const {
  const int64_t channels = config_.linear.conv_width(), taps = config_.linear.taps;
  const std::vector<float> stored = numbers(name, require(name, gguf_ ? std::vector<int64_t>{channels, taps} : std::vector<int64_t>{channels, 1, taps}));
  const std::vector<int32_t> order = row_order(name, channels);
  std::vector<float> turned(stored.size());
  const LinearAttentionShape& shape = config_.linear;
  const auto scale_of = [&](int64_t channel) { return !shape.is_mamba() || channel < shape.k_channel(0) ? shape.value_scale : channel < shape.q_channel(0) ? shape.key_scale : shape.query_scale; };
  for (int64_t channel = 0; channel < channels; ++channel)
    for (int64_t tap = 0; tap < taps; ++tap) {
      const int64_t from = order.empty() ? channel : order[static_cast<size_t>(channel)];
      turned[static_cast<size_t>(tap * channels + channel)] = stored[static_cast<size_t>(from * taps + tap)] * scale_of(channel);
    }
  return turned;
}

std::vector<float> Checkpoint::decay_rates(const std::string& name) const {
  std::vector<float> rates = vector(name, config_.linear.value_heads);
  for (float& rate : rates) {
    if (!gguf_) rate = -std::exp(rate);  // llama.cpp's converter has done it already
    else if (rate > 0) throw Error("model_corrupt", stored_name(name) + ": found " + std::to_string(rate) + ", expected numbers of 0 or less");
  }
  return rates;
}

std::vector<float> Checkpoint::final_norm() const {
  const bool apart = config_.model_type == "phi" || is_bamba_like(config_), lfm = config_.model_type.starts_with("lfm2");
  std::vector<float> weights = residual_norm(gguf_ || !(apart || lfm || config_.model_type == "nemotron_h") ? kFinalNormTensor : apart ? "model.final_layernorm.weight" : lfm ? "model.embedding_norm.weight" : "model.norm_f.weight");
  for (float& weight : weights) weight *= config_.logit_scale;
  return weights;
}

// Of a tensor that has one, whatever its shape.
float Checkpoint::number(const std::string& name) const {
  const TensorInfo* info = find(name);
  return numbers(name, require(name, info != nullptr && info->elements() == 1 ? info->shape : std::vector<int64_t>{1}))[0];
}

Xielu Checkpoint::xielu(const std::string& prefix) const {
  const auto softplus = [](float x) { return x > 20.0f ? x : std::log1p(std::exp(x)); };
  const float beta = has(prefix + "beta") ? number(prefix + "beta") : 0.5f, nearest = has(prefix + "eps") ? number(prefix + "eps") : 0.0f;
  // Numbers nearer to 0 than this one count as it in eˣ. It is 1e-6, which nothing shows.
  if (!(std::abs(nearest) <= 1e-5f)) throw Error("model_unsupported", stored_name(prefix + "eps") + ": found " + std::to_string(nearest) + ", expected at most 1e-5");
  return {softplus(number(prefix + "alpha_p")), beta + softplus(number(prefix + "alpha_n")), beta};
}

std::vector<float> Checkpoint::router_norm(const std::string& name) const {
  std::vector<float> weights = vector(name, config_.hidden_size);
  for (float& weight : weights) weight /= std::sqrt(static_cast<float>(config_.hidden_size));
  return weights;
}

// Packing throws std::range_error for a number that the packed type cannot hold.
template <typename Pack>
void Checkpoint::packed(const std::string& name, Pack pack) const {
  try {
    pack();
  } catch (const std::range_error& error) {
    throw Error("model_unsupported", stored_name(name) + ": found " + error.what() + ", expected smaller numbers, or weights in another type");
  }
}

PackedMatrix Checkpoint::matrix(const std::string& name, int64_t out, int64_t in) const {
  const TensorInfo& info = require(name, {out, in});
  PackedMatrix matrix(PackedMatrix::storage_for(std::array{form_type(info, compute_)}, in, compute_), compute_, out, in);
  const Rows stored = rows(name, info);
  packed(name, [&] { matrix.set_rows(0, out, stored.dtype, stored.data.data(), row_order(name, out)); });
  return matrix;
}

bool Checkpoint::same_matrix(const std::string& one, const std::string& other, int64_t out, int64_t in) const {
  const TensorInfo &a = require(one, {out, in}), &b = require(other, {out, in});
  const Rows as = rows(one, a), bs = rows(other, b);
  if (as.dtype == bs.dtype && as.data == bs.data) return true;
  const auto widened = [in](const Rows& of, int64_t row, std::vector<float>& values) {
    dequantize(of.dtype, of.data.data() + row * (in / dtype_block(of.dtype) * dtype_block_bytes(of.dtype)), in, values.data());
  };
  std::vector<float> left(static_cast<size_t>(in)), right(left.size());
  for (int64_t row = 0; row < out; ++row) {
    widened(as, row, left);
    widened(bs, row, right);
    if (left != right) return false;
  }
  return true;
}

Linear Checkpoint::linear(const std::vector<Part>& parts, int64_t in, WeightType compute) const {
  std::vector<DType> dtypes;
  int64_t out = 0;
  for (const Part& part : parts) {
    dtypes.push_back(form_type(part, in, compute));
    out += part.out;
  }
  Linear linear;
  linear.weights = PackedMatrix(PackedMatrix::storage_for(dtypes, in, compute), compute, out, in);
  linear.bias = biases(parts);
  int64_t begin = 0;
  for (const Part& part : parts) {
    const Rows stored = rows(part, in);
    packed(part.tensor(), [&] { linear.weights.set_rows(begin, part.out, stored.dtype, stored.data.data(), row_order(part)); });
    begin += part.out;
  }
  return linear;
}

PackedMatrix Checkpoint::remade(const std::vector<Part>& parts, int64_t parts_in, std::span<const float> rows, int64_t out, int64_t in) const {
  DType form = form_type(parts[0], parts_in, compute_);
  for (const Part& part : parts)
    if (form_type(part, parts_in, compute_) != form || (form != DType::f16 && form != DType::bf16)) form = DType::f32;
  const auto* numbers = reinterpret_cast<const std::byte*>(rows.data());
  std::vector<uint16_t> narrow(form == DType::f32 ? 0 : rows.size());
  if (!narrow.empty()) {
    std::transform(rows.begin(), rows.end(), narrow.begin(), form == DType::f16 ? float_to_f16 : float_to_bf16);
    numbers = reinterpret_cast<const std::byte*>(narrow.data());
  }
  PackedMatrix matrix(PackedMatrix::storage_for(std::array{form}, in, compute_), compute_, out, in);
  packed(parts[0].tensor(), [&] { matrix.set_rows(0, out, form, numbers); });
  return matrix;
}

void Checkpoint::for_each_row(const std::vector<Part>& parts, int64_t in, const std::function<void(int64_t, std::span<const float>)>& visit) const {
  std::vector<float> row(static_cast<size_t>(in));
  int64_t begin = 0;
  for (const Part& part : parts) {
    const Rows stored = rows(part, in);
    const std::vector<int32_t> order = row_order(part);
    const int64_t row_bytes = in / dtype_block(stored.dtype) * dtype_block_bytes(stored.dtype);
    for (int64_t i = 0; i < part.out; ++i) {
      const int64_t from = order.empty() ? i : order[static_cast<size_t>(i)];
      dequantize(stored.dtype, stored.data.data() + from * row_bytes, in, row.data());
      packed(part.tensor(), [&] { visit(begin + i, row); });
    }
    begin += part.out;
  }
}

std::vector<float> Checkpoint::bias(const Part& part) const {
  const std::string name = part.biases();
  if (part.expert < 0 && part.stacked_rows == 0) return vector(name, part.out);
  TensorInfo info = require(name, part.expert < 0 ? std::vector{part.stacked_rows} : std::vector<int64_t>{config_.experts.count, part.stacked_rows});
  const auto size = static_cast<uint64_t>(dtype_block_bytes(info.dtype));
  info.offset += size * static_cast<uint64_t>(std::max(0, part.expert) * part.stacked_rows + part.first_row);
  info.bytes = size * static_cast<uint64_t>(part.out);
  info.shape = {part.out};
  return ordered(numbers(name, info), row_order(part));
}

std::vector<float> Checkpoint::biases(const std::vector<Part>& parts) const {
  std::vector<float> all;
  size_t begin = 0, out = 0;
  for (const Part& part : parts) out += static_cast<size_t>(part.out);
  for (const Part& part : parts) {
    if (part.bias) {
      all.resize(out);
      const std::vector<float> own = bias(part);
      std::copy(own.begin(), own.end(), all.begin() + static_cast<std::ptrdiff_t>(begin));
    }
    begin += static_cast<size_t>(part.out);
  }
  return all;
}

}  // namespace sgmv
