#include "layers/lora_adapter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <stdexcept>

#include "cpu/kernels.h"
#include "formats/peft_adapter.h"
#include "layers/dora.h"
#include "layers/lora_checks.h"
#include "ops/packed_matrix.h"
#include "ops/sgmv_cpu.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

constexpr size_t kAlignment = 64;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

LoraType type_of(DType dtype) {
  return dtype == DType::f32 ? LoraType::f32 : dtype == DType::f16 ? LoraType::f16 : LoraType::bf16;
}

// The numbers of a file's tensor in the type they are packed from.
std::vector<std::byte> converted(std::vector<std::byte> data, DType dtype, LoraType type) {
  if (type == type_of(dtype)) return data;
  const std::vector<float> wide = widened(data, dtype);
  std::vector<std::byte> result(wide.size() * (type == LoraType::bf16 ? sizeof(uint16_t) : sizeof(float)));
  if (type == LoraType::bf16) std::transform(wide.begin(), wide.end(), reinterpret_cast<uint16_t*>(result.data()), float_to_bf16);
  else std::memcpy(result.data(), wide.data(), result.size());
  return result;
}

// [rows, columns] of `size` bytes each.
std::vector<std::byte> transposed(std::span<const std::byte> data, size_t rows, size_t columns, size_t size) {
  std::vector<std::byte> result(data.size());
  for (size_t row = 0; row < rows; ++row)
    for (size_t column = 0; column < columns; ++column) std::memcpy(result.data() + (column * rows + row) * size, data.data() + (row * columns + column) * size, size);
  return result;
}

size_t padded_columns(int32_t width) { return static_cast<size_t>(panels_of(width) * kPanelColumns); }

}  // namespace

ProjectionGroup group_of(Projection p) {
  switch (p) {
    case Projection::q:
    case Projection::k:
    case Projection::v:
    case Projection::q_a:
    case Projection::kv_a:
    case Projection::qkv: return ProjectionGroup::qkv;
    case Projection::q_b: return ProjectionGroup::latent_q;
    case Projection::kv_b: return ProjectionGroup::latent_k;
    case Projection::o: return ProjectionGroup::o;
    case Projection::in_qkv:
    case Projection::in_z:
    case Projection::in_b:
    case Projection::in_a:
    case Projection::in_qkvz:
    case Projection::in_ba:
    case Projection::in: return ProjectionGroup::state_in;
    case Projection::out: return ProjectionGroup::state_out;
    case Projection::gate:
    case Projection::up:
    case Projection::gate_up: return ProjectionGroup::gate_up;
    case Projection::router:
    case Projection::shared_gate: return ProjectionGroup::router;
    case Projection::embed_tokens: return ProjectionGroup::embedding;
    case Projection::lm_head: return ProjectionGroup::head;
    case Projection::per_token_gate: return ProjectionGroup::per_token_gate;
    case Projection::per_token_out: return ProjectionGroup::per_token_out;
    case Projection::per_token_in: return ProjectionGroup::per_token_in;
    case Projection::down: break;
  }
  return ProjectionGroup::down;
}

int32_t output_column(const LoraTarget& target, const ModelConfig& model) {
  const int32_t layer = std::max(target.layer, 0);
  switch (target.projection) {
    case Projection::k: return model.out_features(Projection::q, layer);
    case Projection::v: return model.out_features(Projection::q, layer) + model.out_features(Projection::k, layer);
    case Projection::kv_a: return model.latent_q_width();
    case Projection::in_z: return model.out_features(Projection::in_qkv);
    case Projection::in_b:
    case Projection::in_ba: return model.out_features(Projection::in_qkvz);
    case Projection::in_a: return model.out_features(Projection::in_qkvz) + model.out_features(Projection::in_b);
    case Projection::up: return model.gated_mlp ? target.outputs(model) : 0;  // gate is as wide
    case Projection::shared_gate: return model.out_features(Projection::router);
    default: return 0;
  }
}

class LoraPacker {
 public:
  LoraPacker(const PeftAdapter& source, const ModelConfig& model, std::optional<LoraType> type, const BaseRows& base)
      : source_(source), model_(model), type_(type), base_(base) {}

  std::shared_ptr<const LoraAdapter> pack(ProblemList& problems) {
    auto adapter = std::make_shared<LoraAdapter>();
    adapter_ = adapter.get();
    adapter_->invocation_ = source_.config().invocation_tokens;
    adapter_->layers_.resize(static_cast<size_t>(model_.layers));
    adapter_->experts_per_layer_ = static_cast<size_t>(model_.experts.count);
    const std::vector<PeftPair>& all = source_.pairs();
    if (std::any_of(all.begin(), all.end(), [](const PeftPair& pair) { return pair.target.expert >= 0; }))
      adapter_->experts_.resize(adapter_->layers_.size() * adapter_->experts_per_layer_);
    if (std::any_of(all.begin(), all.end(), [](const PeftPair& pair) { return pair.target.projection == Projection::kv_b; })) {
      adapter_->heads_per_layer_ = static_cast<size_t>(model_.heads);
      adapter_->heads_.resize(adapter_->layers_.size() * adapter_->heads_per_layer_);
    }
    for_each_group([&](std::span<const PeftPair> pairs) { is_embedding(pairs) ? place_embedding(pairs[0]) : is_of_heads(pairs) ? place_heads(pairs[0]) : place(pairs); });
    for (const PeftRows& rows : source_.rows()) bytes_ += aligned(own_bytes(rows));
    adapter_->data_ = AlignedBuffer<std::byte>(bytes_);
    bytes_ = 0;
    for_each_group([&](std::span<const PeftPair> pairs) {
      is_embedding(pairs) ? fill_embedding(pairs[0], problems) : is_of_heads(pairs) ? fill_heads(pairs[0], problems) : fill(pairs, problems);
    });
    for (const PeftRows& rows : source_.rows()) fill_rows(rows, problems);
    return adapter;
  }

 private:
  size_t own_bytes(const PeftRows& rows) const { return rows.tokens.size() * static_cast<size_t>(model_.hidden_size) * sizeof(float); }

  void fill_rows(const PeftRows& rows, ProblemList& problems) {
    auto* place = reinterpret_cast<float*>(take(own_bytes(rows)));
    const OwnRows own{sort_rows(rows, model_.hidden_size, widened(source_.read_checked(rows.rows, problems), rows.rows.info.dtype), place), place, model_.hidden_size};
    if (rows.of_embedding) adapter_->embedding_.own = own;
    if (rows.of_head) adapter_->head_rows_ = own;
  }

  template <typename Visit>
  void for_each_group(Visit visit) {
    const std::vector<PeftPair>& pairs = source_.pairs();
    for (size_t begin = 0, end; begin < pairs.size(); begin = end) {
      const LoraTarget& first = pairs[begin].target;
      end = begin + 1;
      while (end < pairs.size() && pairs[end].target.layer == first.layer && pairs[end].target.expert == first.expert &&
             group_of(pairs[end].target.projection) == group_of(first.projection))
        ++end;
      visit(std::span(pairs).subspan(begin, end - begin));
    }
  }

  static bool is_embedding(std::span<const PeftPair> pairs) { return pairs[0].target.projection == Projection::embed_tokens; }
  static bool is_of_heads(std::span<const PeftPair> pairs) { return pairs[0].target.projection == Projection::kv_b; }

  LoraGroup& group_for(std::span<const PeftPair> pairs) {
    const LoraTarget& target = pairs[0].target;
    if (target.projection == Projection::lm_head) return adapter_->head_;
    if (target.projection == Projection::per_token_in) return adapter_->per_token_in_;
    if (target.expert >= 0)
      return adapter_->experts_[static_cast<size_t>(target.layer) * adapter_->experts_per_layer_ + static_cast<size_t>(target.expert)][target.projection == Projection::down];
    return adapter_->layers_[static_cast<size_t>(target.layer)][static_cast<size_t>(group_of(target.projection))];
  }

  LoraType type_for(Projection p, DType dtype) const { return is_of_router(p) ? type_of(dtype) : type_.value_or(type_of(dtype)); }

  // The shapes of a group, and the room it needs.
  void place(std::span<const PeftPair> pairs) {
    LoraGroup& group = group_for(pairs);
    for (const PeftPair& pair : pairs) {
      const Projection p = pair.target.projection;
      const int32_t column = output_column(pair.target, model_), lead = column % kPanelColumns;
      const PackedLora a{nullptr, type_for(p, pair.a.info.dtype), pair.target.rank, pair.target.inputs(model_)};
      const PackedLora b{nullptr, type_for(p, pair.b.info.dtype), pair.target.rank, lead + pair.target.outputs(model_)};
      group.parts.push_back({p, pair.target.scale, a, b, column / kPanelColumns});
      group.a_bytes += aligned(packed_lora_a_bytes(a.type, a.rank, a.width));
      bytes_ += aligned(packed_lora_b_bytes(b.type, b.rank, b.width));
      if (pair.magnitude) bytes_ += aligned(padded_columns(b.width) * sizeof(float));
      adapter_->rank_max_ = std::max(adapter_->rank_max_, pair.target.rank);
      if (is_of_router(p)) adapter_->adapts_routers_ = true;
      else add_forms(a.type, b.type);
    }
    bytes_ += group.a_bytes;
  }

  void add_forms(LoraType a, LoraType b) {
    for (const LoraType type : {a, b}) {
      adapter_->forms_ = adapter_->forms_ | lora_forms(type, false);
      adapter_->forms_narrow_ = adapter_->forms_narrow_ | lora_forms(type, true);
    }
  }

  // kv_b is multiplied by heads: latent_k, whose factors change places and lie transposed, with (B_K)ᵀ as each head's A and Aᵀ as B of all;
  // and latent_v, with A of all and each head's B_V.
  void place_heads(const PeftPair& pair) {
    const LatentConfig& latent = model_.latent;
    const int32_t rank = pair.target.rank;
    const LoraType of_a = type_for(pair.target.projection, pair.a.info.dtype), of_b = type_for(pair.target.projection, pair.b.info.dtype);
    const PackedLora k_a{nullptr, of_b, rank, latent.nope_dim}, k_b{nullptr, of_a, rank, latent.kv_rank}, v_a{nullptr, of_a, rank, latent.kv_rank}, v_b{nullptr, of_b, rank, latent.value_dim};
    const size_t k_a_bytes = aligned(packed_lora_a_bytes(k_a.type, rank, k_a.width)), v_a_bytes = aligned(packed_lora_a_bytes(v_a.type, rank, v_a.width));
    for (int32_t head = 0; head < model_.heads; ++head) {
      std::array<LoraGroup, 2>& groups = of_head(pair, head);
      groups[0].parts.push_back({pair.target.projection, pair.target.scale, k_a, k_b, 0});
      groups[1].parts.push_back({pair.target.projection, pair.target.scale, v_a, v_b, 0});
      groups[0].a_bytes = k_a_bytes;
      groups[1].a_bytes = v_a_bytes;
      bytes_ += k_a_bytes + aligned(packed_lora_b_bytes(v_b.type, rank, v_b.width));
      if (pair.magnitude) bytes_ += aligned(static_cast<size_t>(latent.nope_dim) * sizeof(float)) + aligned(padded_columns(v_b.width) * sizeof(float));
    }
    bytes_ += v_a_bytes + aligned(packed_lora_b_bytes(k_b.type, rank, k_b.width));
    adapter_->rank_max_ = std::max(adapter_->rank_max_, rank);
    add_forms(of_a, of_b);
  }

  std::array<LoraGroup, 2>& of_head(const PeftPair& pair, int32_t head) {
    return adapter_->heads_[static_cast<size_t>(pair.target.layer) * adapter_->heads_per_layer_ + static_cast<size_t>(head)];
  }

  void fill_heads(const PeftPair& pair, ProblemList& problems) {
    const LatentConfig& latent = model_.latent;
    const std::array<LoraGroup, 2>& first = of_head(pair, 0);
    const PackedLora k_a = first[0].parts[0].a, k_b = first[0].parts[0].b, v_a = first[1].parts[0].a, v_b = first[1].parts[0].b;
    const auto number_bytes = [](LoraType type) { return type == LoraType::i8 ? sizeof(float) : lora_type_bytes(type); };  // before they are packed
    const auto rank = static_cast<size_t>(pair.target.rank), nope = static_cast<size_t>(latent.nope_dim), width = static_cast<size_t>(latent.kv_rank);
    const size_t row = rank * number_bytes(v_b.type), k_rows = nope * row, v_rows = static_cast<size_t>(latent.value_dim) * row;
    const std::vector<std::byte> a = read(pair.a, v_a.type, problems), b = read(pair.b, v_b.type, problems);
    std::vector<float> factors(pair.magnitude ? static_cast<size_t>(pair.target.outputs(model_)) : 0);
    if (pair.magnitude) find_dora(pair, factors.data(), problems);
    std::byte *shared_a = take(packed_lora_a_bytes(v_a.type, v_a.rank, v_a.width)), *shared_b = take(packed_lora_b_bytes(k_b.type, k_b.rank, k_b.width));
    if (problems.empty()) {
      pack_lora_a(v_a.type, a.data(), v_a.rank, v_a.width, shared_a);
      pack_lora_b(k_b.type, transposed(a, rank, width, number_bytes(v_a.type)).data(), k_b.width, k_b.rank, 0, shared_b);
    }
    for (int32_t head = 0; head < model_.heads; ++head) {
      std::array<LoraGroup, 2>& groups = of_head(pair, head);
      LoraPart &k = groups[0].parts[0], &v = groups[1].parts[0];
      std::byte *k_place = take(packed_lora_a_bytes(k_a.type, k_a.rank, k_a.width)), *v_place = take(packed_lora_b_bytes(v_b.type, v_b.rank, v_b.width));
      const std::span<const std::byte> rows = std::span(b).subspan(static_cast<size_t>(head) * (k_rows + v_rows));
      if (problems.empty()) {
        pack_lora_a(k_a.type, transposed(rows.first(k_rows), nope, rank, number_bytes(k_a.type)).data(), k_a.rank, k_a.width, k_place);
        pack_lora_b(v_b.type, rows.subspan(k_rows).data(), v_b.width, v_b.rank, 0, v_place);
      }
      k.a.data = k_place;
      k.b.data = shared_b;
      v.a.data = shared_a;
      v.b.data = v_place;
      groups[0].a_data = k_place;
      groups[1].a_data = shared_a;
      if (factors.empty()) continue;
      const float* own = factors.data() + head * latent.kv_b_head();
      auto* inputs = reinterpret_cast<float*>(take(nope * sizeof(float)));
      auto* columns = reinterpret_cast<float*>(take(padded_columns(v_b.width) * sizeof(float)));
      std::copy_n(own, nope, inputs);
      std::fill(std::copy_n(own + nope, latent.value_dim, columns), columns + padded_columns(v_b.width), 1.0f);
      k.input_factors = inputs;
      v.column_factors = columns;
    }
    check_base_layer(pair, source_, base_, problems);
  }

  std::byte* take(size_t bytes) {
    std::byte* place = adapter_->data_.data() + bytes_;
    bytes_ += aligned(bytes);
    return place;
  }

  void fill(std::span<const PeftPair> pairs, ProblemList& problems) {
    LoraGroup& group = group_for(pairs);
    group.a_data = adapter_->data_.data() + bytes_;
    for (size_t i = 0; i < pairs.size(); ++i) {
      PackedLora& a = group.parts[i].a;
      std::byte* place = take(packed_lora_a_bytes(a.type, a.rank, a.width));
      const std::vector<std::byte> values = read(pairs[i].a, a.type, problems);
      if (problems.empty()) pack_lora_a(a.type, values.data(), a.rank, a.width, place);
      a.data = place;
    }
    for (size_t i = 0; i < pairs.size(); ++i) {
      PackedLora& b = group.parts[i].b;
      std::byte* place = take(packed_lora_b_bytes(b.type, b.rank, b.width));
      const int32_t out = pairs[i].target.outputs(model_);
      const std::vector<std::byte> values = read(pairs[i].b, b.type, problems);
      if (problems.empty()) pack_lora_b(b.type, values.data(), out, b.rank, b.width - out, place);
      b.data = place;
      if (pairs[i].magnitude) fill_dora(pairs[i], group.parts[i], problems);
      check_base_layer(pairs[i], source_, base_, problems);
    }
  }

  // From the file's own numbers, whatever the factors are rounded to. Columns of other parts have the factor 1.
  void fill_dora(const PeftPair& pair, LoraPart& part, ProblemList& problems) {
    const size_t count = padded_columns(part.b.width);
    const auto lead = static_cast<size_t>(part.b.width - pair.target.outputs(model_));
    auto* factors = reinterpret_cast<float*>(take(count * sizeof(float)));
    std::fill_n(factors, count, 1.0f);
    find_dora(pair, factors + lead, problems);
    part.column_factors = factors;
  }

  void find_dora(const PeftPair& pair, float* factors, ProblemList& problems) {
    const auto numbers = [&](const NamedTensor& tensor) { return widened(source_.read_checked(tensor, problems), tensor.info.dtype); };
    const int64_t bad = dora_factors(base_, pair.target, pair.target.inputs(model_), numbers(pair.a), numbers(pair.b), numbers(*pair.magnitude), factors);
    if (bad >= 0)
      problems.add("not_finite", kAdapterWeightsFile, pair.magnitude->name, "a factor that is not finite for output " + std::to_string(bad),
                   "adapted weights with a norm above 0");
  }

  // An embedding's factors keep the file's types: a step reads one row of A per token.
  void place_embedding(const PeftPair& pair) {
    LoraEmbedding& embedding = adapter_->embedding_;
    embedding.a = {nullptr, type_of(pair.a.info.dtype), pair.target.rank, model_.vocab_size};
    embedding.b = {nullptr, type_of(pair.b.info.dtype), pair.target.rank, model_.hidden_size};
    embedding.scale = pair.target.scale;
    adapter_->rank_max_ = std::max(adapter_->rank_max_, pair.target.rank);
    bytes_ += aligned(pair.a.info.bytes) + aligned(packed_lora_b_bytes(embedding.b.type, embedding.b.rank, embedding.b.width));
  }

  void fill_embedding(const PeftPair& pair, ProblemList& problems) {
    PackedLora &a = adapter_->embedding_.a, &b = adapter_->embedding_.b;
    std::byte *a_place = take(pair.a.info.bytes), *b_place = take(packed_lora_b_bytes(b.type, b.rank, b.width));
    const std::vector<std::byte> values = source_.read_checked(pair.a, problems);
    const size_t size = lora_type_bytes(a.type), rank = static_cast<size_t>(a.rank), vocabulary = static_cast<size_t>(a.width);
    for (size_t token = 0; token < vocabulary; ++token)
      for (size_t r = 0; r < rank; ++r) std::memcpy(a_place + (token * rank + r) * size, values.data() + (r * vocabulary + token) * size, size);
    pack_lora_b(b.type, source_.read_checked(pair.b, problems).data(), b.width, b.rank, 0, b_place);
    a.data = a_place;
    b.data = b_place;
    check_base_layer(pair, source_, base_, problems);
  }

  std::vector<std::byte> read(const NamedTensor& tensor, LoraType type, ProblemList& problems) {
    return converted(source_.read_checked(tensor, problems), tensor.info.dtype, type);
  }

  const PeftAdapter& source_;
  const ModelConfig& model_;
  const std::optional<LoraType> type_;
  const BaseRows& base_;
  LoraAdapter* adapter_ = nullptr;
  size_t bytes_ = 0;
};

std::shared_ptr<const LoraAdapter> load_lora_adapter(const std::filesystem::path& folder, const ModelConfig& model,
                                                     std::optional<LoraType> type, const BaseRows& base) {
  ProblemList problems;
  const PeftAdapter source(folder, model, problems);
  refuse_if_any(problems);
  try {
    auto adapter = LoraPacker(source, model, type, base).pack(problems);
    refuse_if_any(problems);
    return adapter;
  } catch (const std::range_error& error) {
    refuse_if_any(problems);  // one of them names the value
    throw Error("adapter_refused", std::string(kAdapterWeightsFile) + ": found " + error.what());
  }
}

}  // namespace sgmv
