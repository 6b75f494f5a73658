#include "layers/lora_adapter_cuda.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/peft_adapter.h"
#include "layers/dora.h"
#include "layers/lora_checks.h"
#include "sgmv/error.h"

namespace sgmv::cuda {
namespace {

constexpr size_t kAlignment = 256;

class ImagePacker {
 public:
  ImagePacker(const PeftAdapter& source, const ModelConfig& model, Number type, LoraFormat format, const BaseRows& base)
      : source_(source), model_(model), type_(type), format_(format), base_(base) {}

  std::shared_ptr<const LoraImage> pack(ProblemList& problems) {
    const std::vector<PeftPair>& pairs = source_.pairs();
    const bool routers = std::any_of(pairs.begin(), pairs.end(), is_router);
    const bool experts = std::any_of(pairs.begin(), pairs.end(), [](const PeftPair& pair) { return pair.target.expert >= 0; });
    image_->invocation = source_.config().invocation_tokens;
    image_->head = head_factor(model_.layers);
    const bool heads = std::any_of(pairs.begin(), pairs.end(), is_of_heads);
    if (routers) image_->routers = image_->head + 2;
    if (experts) image_->experts = static_cast<int32_t>(factor_count(model_, routers, false, false));
    if (heads) image_->heads = static_cast<int32_t>(factor_count(model_, routers, experts, false));
    image_->factors.resize(factor_count(model_, routers, experts, heads));
    for (const PeftPair& pair : pairs) is_of_heads(pair) ? place_heads(pair) : place(pair);
    for (const PeftRows& rows : source_.rows()) place_rows(rows);
    image_->data = PinnedArray<std::byte>(bytes_);
    if (bytes_ > 0) std::memset(image_->data.data(), 0, bytes_);
    for (const PeftPair& pair : pairs) is_embedding(pair) ? fill_embedding(pair, problems) : is_of_heads(pair) ? fill_heads(pair, problems) : fill(pair, problems);
    for (const PeftRows& rows : source_.rows()) fill_rows(rows, problems);
    return image_;
  }

 private:
  void place_rows(const PeftRows& rows) {
    const size_t tokens = take(rows.tokens.size() * sizeof(int32_t)), numbers = take(rows.tokens.size() * static_cast<size_t>(model_.hidden_size) * sizeof(float));
    const LoraImage::Rows placed{tokens, numbers, static_cast<int32_t>(rows.tokens.size())};
    if (rows.of_embedding) image_->own_rows = placed;
    if (rows.of_head) image_->head_rows = placed;
  }

  void fill_rows(const PeftRows& rows, ProblemList& problems) {
    const LoraImage::Rows& placed = rows.of_embedding ? image_->own_rows : image_->head_rows;
    const std::vector<int32_t> sorted = sort_rows(rows, model_.hidden_size, numbers(rows.rows, problems), reinterpret_cast<float*>(image_->data.data() + placed.rows));
    std::memcpy(image_->data.data() + placed.tokens, sorted.data(), sorted.size() * sizeof(int32_t));
  }

  static bool is_router(const PeftPair& pair) { return is_of_router(pair.target.projection); }
  static bool is_embedding(const PeftPair& pair) { return pair.target.projection == Projection::embed_tokens; }
  static bool is_of_heads(const PeftPair& pair) { return pair.target.projection == Projection::kv_b; }

  LoraImage::Factor& factor(const LoraTarget& target) {
    if (target.projection == Projection::embed_tokens) return image_->embedding;
    if (target.projection == Projection::lm_head) return image_->factors[static_cast<size_t>(image_->head)];
    if (target.projection == Projection::per_token_in) return image_->factors[static_cast<size_t>(per_token_in_factor(model_.layers))];
    if (target.expert >= 0) {
      const size_t expert = static_cast<size_t>(target.layer) * static_cast<size_t>(model_.experts.count) + static_cast<size_t>(target.expert);
      return image_->factors[static_cast<size_t>(image_->experts) + expert * kFactorsPerExpert + static_cast<size_t>(factor_of_expert(target.projection))];
    }
    if (is_of_router(target.projection))
      return image_->factors[static_cast<size_t>(image_->routers + target.layer * kFactorsPerRouter + (target.projection == Projection::shared_gate ? 1 : 0))];
    return image_->factors[static_cast<size_t>(target.layer * kFactorsPerLayer + factor_of(target.projection))];
  }

  Number type_of(const PeftPair& pair) const { return is_router(pair) ? Number::f32 : type_; }
  LoraFormat format_of(const PeftPair& pair) const { return is_router(pair) ? LoraFormat::of_inputs : format_; }

  size_t take(size_t bytes) {
    const size_t at = bytes_;
    bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return at;
  }

  void place(const PeftPair& pair) {
    LoraImage::Factor& f = factor(pair.target);
    const int64_t rank = pair.target.rank, in = pair.target.inputs(model_), out = pair.target.outputs(model_);
    f.rank = pair.target.rank;
    f.scale = pair.target.scale;
    // An embedding's A is read by token, so it lies transposed; neither of its factors has padding.
    f.a = take(is_embedding(pair) ? static_cast<size_t>(in * rank) * number_bytes(type_) : lora_a_bytes(format_of(pair), type_of(pair), rank, in));
    f.b = take(is_embedding(pair) ? static_cast<size_t>(out * rank) * number_bytes(type_) : lora_b_bytes(format_of(pair), type_of(pair), rank, out));
    f.has_dora = pair.magnitude.has_value();
    if (f.has_dora) f.dora = take(static_cast<size_t>(out) * sizeof(float));
    image_->rank_max = std::max(image_->rank_max, pair.target.rank);
  }

  // kv_b is multiplied by heads: for keys transposed, with (B_K)ᵀ as each head's A and Aᵀ as B of all; for values with A of all and each
  // head's B_V.
  LoraImage::Factor* of_head(const PeftPair& pair, int32_t head) {
    return &image_->factors[static_cast<size_t>(image_->heads + (pair.target.layer * model_.heads + head) * kFactorsPerHead)];
  }

  void place_heads(const PeftPair& pair) {
    const LatentConfig& latent = model_.latent;
    const int64_t rank = pair.target.rank;
    const auto a_of = [&](int64_t in) { return take(lora_a_bytes(format_, type_, rank, in)); };
    const auto b_of = [&](int64_t out) { return take(lora_b_bytes(format_, type_, rank, out)); };
    const size_t shared_a = a_of(latent.kv_rank), shared_b = b_of(latent.kv_rank), dora = pair.magnitude ? take(static_cast<size_t>(pair.target.outputs(model_)) * sizeof(float)) : 0;
    for (int32_t head = 0; head < model_.heads; ++head) {
      const size_t of_keys = dora + static_cast<size_t>(head * latent.kv_b_head()) * sizeof(float), of_values = of_keys + static_cast<size_t>(latent.nope_dim) * sizeof(float);
      const bool has_dora = pair.magnitude.has_value();
      LoraImage::Factor* factors = of_head(pair, head);
      factors[0] = {pair.target.rank, pair.target.scale, a_of(latent.nope_dim), shared_b, of_keys, has_dora, true};
      factors[1] = {pair.target.rank, pair.target.scale, shared_a, b_of(latent.value_dim), of_values, has_dora};
    }
    image_->rank_max = std::max(image_->rank_max, pair.target.rank);
  }

  void fill_heads(const PeftPair& pair, ProblemList& problems) {
    const LatentConfig& latent = model_.latent;
    const std::vector<float> a = numbers(pair.a, problems), b = numbers(pair.b, problems);
    const int64_t rank = pair.target.rank, nope = latent.nope_dim, width = latent.kv_rank;
    const LoraImage::Factor* first = of_head(pair, 0);
    store_a(pair.a, a, rank, width, first[1].a, problems);
    store_b(pair.a, transposed(a, rank, width), width, rank, first[0].b, problems);
    for (int32_t head = 0; head < model_.heads; ++head) {
      const LoraImage::Factor* factors = of_head(pair, head);
      const std::span<const float> rows = std::span(b).subspan(static_cast<size_t>(head * latent.kv_b_head() * rank), static_cast<size_t>(latent.kv_b_head() * rank));
      store_a(pair.b, transposed(rows.first(static_cast<size_t>(nope * rank)), nope, rank), rank, nope, factors[0].a, problems);
      store_b(pair.b, rows.subspan(static_cast<size_t>(nope * rank)), latent.value_dim, rank, factors[1].b, problems);
    }
    if (first[0].has_dora) fill_dora(pair, a, b, first[0].dora, problems);
    check_base_layer(pair, source_, base_, problems);
  }

  static std::vector<float> transposed(std::span<const float> values, int64_t rows, int64_t columns) {
    std::vector<float> result(values.size());
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column) result[static_cast<size_t>(column * rows + row)] = values[static_cast<size_t>(row * columns + column)];
    return result;
  }

  // Of numbers that are no router's: a [rank, in], b [out, rank].
  void store_a(const NamedTensor& tensor, std::span<const float> a, int64_t rank, int64_t in, size_t at, ProblemList& problems) {
    if (format_ == LoraFormat::of_inputs) return store(tensor, type_, a, rank, in, padded(in), at, problems);
    if (problems.empty()) pack_lora_a_q8(a.data(), rank, in, image_->data.data() + at);  // otherwise not all of their numbers may be finite
  }
  void store_b(const NamedTensor& tensor, std::span<const float> b, int64_t out, int64_t rank, size_t at, ProblemList& problems) {
    if (format_ == LoraFormat::of_inputs) return store(tensor, type_, b, out, rank, lora_b_stride(rank), at, problems);
    if (problems.empty() && !pack_lora_b_q8(b.data(), out, rank, image_->data.data() + at))
      problems.add("not_finite", kAdapterWeightsFile, tensor.name, "a value that 8 bits and a half-precision scale cannot hold", "values within ±8.3e6");
  }

  void fill(const PeftPair& pair, ProblemList& problems) {
    const LoraImage::Factor& f = factor(pair.target);
    const int64_t in = pair.target.inputs(model_), out = pair.target.outputs(model_);
    const std::vector<float> a = numbers(pair.a, problems), b = numbers(pair.b, problems);
    if (is_router(pair)) {
      store(pair.a, Number::f32, a, f.rank, in, padded(in), f.a, problems);
      store(pair.b, Number::f32, b, out, f.rank, lora_b_stride(f.rank), f.b, problems);
    } else {
      store_a(pair.a, a, f.rank, in, f.a, problems);
      store_b(pair.b, b, out, f.rank, f.b, problems);
    }
    if (f.has_dora) fill_dora(pair, a, b, f.dora, problems);
    check_base_layer(pair, source_, base_, problems);
  }

  // From the file's own numbers, whatever the factors are rounded to.
  void fill_dora(const PeftPair& pair, const std::vector<float>& a, const std::vector<float>& b, size_t at, ProblemList& problems) {
    auto* factors = reinterpret_cast<float*>(image_->data.data() + at);
    const int64_t bad = dora_factors(base_, pair.target, pair.target.inputs(model_), a, b, numbers(*pair.magnitude, problems), factors);
    if (bad >= 0)
      problems.add("not_finite", kAdapterWeightsFile, pair.magnitude->name, "a factor that is not finite for output " + std::to_string(bad),
                   "adapted weights with a norm above 0");
  }

  void fill_embedding(const PeftPair& pair, ProblemList& problems) {
    const LoraImage::Factor& f = image_->embedding;
    const std::vector<float> a = numbers(pair.a, problems);
    std::vector<float> transposed(a.size());
    const auto rank = static_cast<size_t>(f.rank), vocab = static_cast<size_t>(model_.vocab_size);
    for (size_t token = 0; token < vocab; ++token)
      for (size_t r = 0; r < rank; ++r) transposed[token * rank + r] = a[r * vocab + token];
    store(pair.a, type_, transposed, model_.vocab_size, f.rank, f.rank, f.a, problems);
    store(pair.b, type_, numbers(pair.b, problems), model_.hidden_size, f.rank, f.rank, f.b, problems);
    check_base_layer(pair, source_, base_, problems);
  }

  std::vector<float> numbers(const NamedTensor& tensor, ProblemList& problems) const { return widened(source_.read_checked(tensor, problems), tensor.info.dtype); }

  // Rows [rows, columns] in `type`, `stride` numbers apart in the image.
  void store(const NamedTensor& tensor, Number type, std::span<const float> values, int64_t rows, int64_t columns, int64_t stride, size_t at, ProblemList& problems) {
    bool finite = true;
    for (int64_t row = 0; row < rows; ++row) {
      std::byte* to = image_->data.data() + at + static_cast<size_t>(row * stride) * number_bytes(type);
      const float* from = values.data() + row * columns;
      if (type == Number::f32) std::memcpy(to, from, static_cast<size_t>(columns) * sizeof(float));
      for (int64_t i = 0; type != Number::f32 && i < columns; ++i) {
        const uint16_t bits = type == Number::f16 ? float_to_f16(from[i]) : float_to_bf16(from[i]);
        finite = finite && std::isfinite(type == Number::f16 ? f16_to_float(bits) : bf16_to_float(bits));
        std::memcpy(to + i * 2, &bits, sizeof bits);
      }
    }
    if (!finite && problems.empty())
      problems.add("not_finite", kAdapterWeightsFile, tensor.name, "a value beyond the range of the model's numbers",
                   type == Number::f16 ? "values within ±65504" : "values within the range of bfloat16");
  }

  const PeftAdapter& source_;
  const ModelConfig& model_;
  const Number type_;
  const LoraFormat format_;
  const BaseRows& base_;
  std::shared_ptr<LoraImage> image_ = std::make_shared<LoraImage>();
  size_t bytes_ = 0;
};

}  // namespace

size_t factor_count(const ModelConfig& model, bool routers, bool experts, bool heads) {
  const auto layers = static_cast<size_t>(model.layers);
  return layers * kFactorsPerLayer + 2 + (routers ? layers * kFactorsPerRouter : 0) + (experts ? layers * static_cast<size_t>(model.experts.count) * kFactorsPerExpert : 0) +
         (heads ? layers * static_cast<size_t>(model.heads) * kFactorsPerHead : 0);
}

int32_t factor_of(Projection p) {
  switch (p) {
    case Projection::k:
    case Projection::kv_a:
    case Projection::in_z:
    case Projection::in_ba: return 1;
    case Projection::v:
    case Projection::q_b:
    case Projection::in_b: return 2;
    case Projection::o: return 3;
    case Projection::in_a: return 7;
    case Projection::gate:
    case Projection::gate_up: return 4;
    case Projection::up: return 5;
    case Projection::down: return 6;
    case Projection::per_token_gate: return 8;
    case Projection::per_token_out: return 9;
    case Projection::in: return 10;
    case Projection::out: return 11;
    default: return 0;
  }
}

int32_t factor_of_expert(Projection p) { return p == Projection::gate ? 0 : p == Projection::up ? 1 : 2; }

std::shared_ptr<const LoraImage> make_lora_image(const std::filesystem::path& folder, const ModelConfig& model, Number type, LoraFormat format,
                                                 const BaseRows& base) {
  ProblemList problems;
  const PeftAdapter source(folder, model, problems);
  refuse_if_any(problems);
  auto image = ImagePacker(source, model, type, format, base).pack(problems);
  refuse_if_any(problems);
  return image;
}

LoraAdapterCuda::LoraAdapterCuda(std::shared_ptr<Context> context, std::shared_ptr<const LoraImage> image)
    : context_(context), data_(image->bytes(), {context}), factors_(image->factors.size(), {context}),
      embedding_(image->embedding.rank > 0 || image->own_rows.count > 0 || image->head_rows.count > 0 ? 1 : 0, {context}), rank_max_(image->rank_max), invocation_(image->invocation),
      has_head_(image->factors[static_cast<size_t>(image->head)].rank > 0), has_head_rows_(image->head_rows.count > 0), routers_(image->routers), experts_(image->experts), heads_(image->heads) {
  std::vector<LoraFactor> factors;
  for (const LoraImage::Factor& f : image->factors) {
    if (f.rank == 0) {
      factors.push_back({});
    } else {
      const float* dora = f.has_dora ? reinterpret_cast<const float*>(data_.data() + f.dora) : nullptr;
      factors.push_back({data_.data() + f.a, data_.data() + f.b, f.dora_of_inputs ? nullptr : dora, f.rank, f.scale, f.dora_of_inputs ? dora : nullptr});
    }
  }
  const LoraImage::Factor& e = image->embedding;
  const auto rows_at = [&](const LoraImage::Rows& r) {
    return OwnRows{reinterpret_cast<const int32_t*>(data_.data() + r.tokens), reinterpret_cast<const float*>(data_.data() + r.rows), r.count};
  };
  const LoraEmbeddingFactors embedding{data_.data() + e.a, data_.data() + e.b, e.rank, e.scale, rows_at(image->own_rows), rows_at(image->head_rows)};
  const auto copy = [&](void* to, const void* from, size_t bytes) {
    if (bytes > 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, context_->copies), "copying an adapter to the device");
  };
  copy(data_.data(), image->data.data(), image->bytes());
  copy(factors_.data(), factors.data(), factors_.bytes());
  copy(embedding_.data(), &embedding, embedding_.bytes());
  context_->copies.synchronize();
}

bool LoraAdapterCuda::fits(const Context& context, const ModelConfig& config) const {
  return context_.get() == &context && factors_.size() == factor_count(config, routers_ > 0, experts_ > 0, heads_ > 0);
}

}  // namespace sgmv::cuda
