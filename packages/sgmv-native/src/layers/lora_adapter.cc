#include "layers/lora_adapter.h"

#include <algorithm>
#include <span>

#include "formats/peft_adapter.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

constexpr size_t kAlignment = 64;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

LoraType type_of(DType dtype) {
  return dtype == DType::f32 ? LoraType::f32 : dtype == DType::f16 ? LoraType::f16 : LoraType::bf16;
}

void refuse_if_any(ProblemList& problems) {
  if (problems.empty()) return;
  const std::vector<AdapterProblem> list = problems.take();
  const std::string more = list.size() > 1 ? " (and " + std::to_string(list.size() - 1) + " more)" : "";
  throw Error("adapter_refused", list[0].message + more);
}

// First column of a projection in its group's fused output.
int32_t output_column(Projection p, const ModelConfig& model) {
  switch (p) {
    case Projection::k: return model.out_features(Projection::q);
    case Projection::v: return model.out_features(Projection::q) + model.out_features(Projection::k);
    case Projection::up: return model.out_features(Projection::gate);
    default: return 0;
  }
}

std::vector<std::byte> widened(const std::vector<std::byte>& data, DType dtype, int64_t elements) {
  std::vector<std::byte> wide(static_cast<size_t>(elements) * sizeof(float));
  dequantize(dtype, data.data(), elements, reinterpret_cast<float*>(wide.data()));
  return wide;
}

}  // namespace

ProjectionGroup group_of(Projection p) {
  switch (p) {
    case Projection::q:
    case Projection::k:
    case Projection::v: return ProjectionGroup::qkv;
    case Projection::o: return ProjectionGroup::o;
    case Projection::gate:
    case Projection::up: return ProjectionGroup::gate_up;
    case Projection::down: break;
  }
  return ProjectionGroup::down;
}

class LoraPacker {
 public:
  LoraPacker(const PeftAdapter& source, const ModelConfig& model) : source_(source), model_(model) {}

  std::shared_ptr<const LoraAdapter> pack(ProblemList& problems) {
    auto adapter = std::make_shared<LoraAdapter>();
    adapter_ = adapter.get();
    adapter_->layers_.resize(static_cast<size_t>(model_.layers));
    for_each_group([&](std::span<const PeftPair> pairs) { place(pairs); });
    adapter_->data_ = AlignedBuffer<std::byte>(bytes_);
    bytes_ = 0;
    for_each_group([&](std::span<const PeftPair> pairs) { fill(pairs, problems); });
    return adapter;
  }

 private:
  template <typename Visit>
  void for_each_group(Visit visit) {
    const std::vector<PeftPair>& pairs = source_.pairs();
    for (size_t begin = 0, end; begin < pairs.size(); begin = end) {
      const LoraTarget& first = pairs[begin].target;
      end = begin + 1;
      while (end < pairs.size() && pairs[end].target.layer == first.layer &&
             group_of(pairs[end].target.projection) == group_of(first.projection))
        ++end;
      visit(std::span(pairs).subspan(begin, end - begin));
    }
  }

  LoraGroup& group_for(std::span<const PeftPair> pairs) {
    const LoraTarget& target = pairs[0].target;
    return adapter_->layers_[static_cast<size_t>(target.layer)][static_cast<size_t>(group_of(target.projection))];
  }

  // The shapes of a group, and the room it needs. A's of different precision are kept as float32 together.
  void place(std::span<const PeftPair> pairs) {
    LoraGroup& group = group_for(pairs);
    group.a = {nullptr, type_of(pairs[0].a.dtype), 0, model_.in_features(pairs[0].target.projection)};
    for (const PeftPair& pair : pairs) {
      if (type_of(pair.a.dtype) != group.a.type) group.a.type = LoraType::f32;
      const Projection p = pair.target.projection;
      group.parts.push_back({p, pair.target.scale, {nullptr, type_of(pair.b.dtype), pair.target.rank, model_.out_features(p)},
                             group.a.rank, output_column(p, model_)});
      group.a.rank += pair.target.rank;
      adapter_->rank_max_ = std::max(adapter_->rank_max_, pair.target.rank);
    }
    adapter_->rank_sum_max_ = std::max(adapter_->rank_sum_max_, group.a.rank);
    bytes_ += aligned(packed_lora_a_bytes(group.a.type, group.a.rank, group.a.width));
    for (const LoraPart& part : group.parts) bytes_ += aligned(packed_lora_b_bytes(part.b.type, part.b.rank, part.b.width));
  }

  std::byte* take(size_t bytes) {
    std::byte* place = adapter_->data_.data() + bytes_;
    bytes_ += aligned(bytes);
    return place;
  }

  void fill(std::span<const PeftPair> pairs, ProblemList& problems) {
    LoraGroup& group = group_for(pairs);
    const size_t a_row = packed_lora_a_bytes(group.a.type, 1, group.a.width);
    std::byte* a = take(a_row * static_cast<size_t>(group.a.rank));
    group.a.data = a;
    for (size_t i = 0; i < pairs.size(); ++i) {
      const PeftPair& pair = pairs[i];
      std::vector<std::byte> values = source_.read_checked(pair.a_name, pair.a, problems);
      if (type_of(pair.a.dtype) != group.a.type) values = widened(values, pair.a.dtype, pair.a.elements());
      pack_lora_a(group.a.type, values.data(), pair.target.rank, group.a.width, a + a_row * static_cast<size_t>(group.parts[i].v_offset));
    }
    for (size_t i = 0; i < pairs.size(); ++i) {
      PackedLora& b = group.parts[i].b;
      std::byte* place = take(packed_lora_b_bytes(b.type, b.rank, b.width));
      pack_lora_b(b.type, source_.read_checked(pairs[i].b_name, pairs[i].b, problems).data(), b.width, b.rank, place);
      b.data = place;
    }
  }

  const PeftAdapter& source_;
  const ModelConfig& model_;
  LoraAdapter* adapter_ = nullptr;
  size_t bytes_ = 0;
};

std::shared_ptr<const LoraAdapter> load_lora_adapter(const std::filesystem::path& folder, const ModelConfig& model) {
  ProblemList problems;
  const PeftAdapter source(folder, model, problems);
  refuse_if_any(problems);
  auto adapter = LoraPacker(source, model).pack(problems);
  refuse_if_any(problems);
  return adapter;
}

}  // namespace sgmv
