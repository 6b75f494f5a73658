#include "layers/lora_adapter.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>

#include "cpu/kernels.h"
#include "formats/peft_adapter.h"
#include "ops/sgmv_cpu.h"
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

// The numbers of a file's tensor in the type they are packed from.
std::vector<std::byte> converted(std::vector<std::byte> data, DType dtype, int64_t elements, LoraType type) {
  if (type == type_of(dtype)) return data;
  std::vector<float> wide(static_cast<size_t>(elements));
  dequantize(dtype, data.data(), elements, wide.data());
  std::vector<std::byte> result(wide.size() * (type == LoraType::bf16 ? sizeof(uint16_t) : sizeof(float)));
  if (type == LoraType::bf16) std::transform(wide.begin(), wide.end(), reinterpret_cast<uint16_t*>(result.data()), float_to_bf16);
  else std::memcpy(result.data(), wide.data(), result.size());
  return result;
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
  LoraPacker(const PeftAdapter& source, const ModelConfig& model, std::optional<LoraType> type) : source_(source), model_(model), type_(type) {}

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

  LoraType type_for(DType dtype) const { return type_.value_or(type_of(dtype)); }

  // The shapes of a group, and the room it needs.
  void place(std::span<const PeftPair> pairs) {
    LoraGroup& group = group_for(pairs);
    for (const PeftPair& pair : pairs) {
      const Projection p = pair.target.projection;
      const int32_t column = output_column(p, model_), lead = column % kPanelColumns;
      const PackedLora a{nullptr, type_for(pair.a.dtype), pair.target.rank, model_.in_features(p)};
      const PackedLora b{nullptr, type_for(pair.b.dtype), pair.target.rank, lead + model_.out_features(p)};
      group.parts.push_back({p, pair.target.scale, a, b, column / kPanelColumns});
      group.a_bytes += aligned(packed_lora_a_bytes(a.type, a.rank, a.width));
      bytes_ += aligned(packed_lora_b_bytes(b.type, b.rank, b.width));
      adapter_->rank_max_ = std::max(adapter_->rank_max_, pair.target.rank);
      for (const LoraType type : {a.type, b.type}) {
        adapter_->forms_ = adapter_->forms_ | lora_forms(type, false);
        adapter_->forms_narrow_ = adapter_->forms_narrow_ | lora_forms(type, true);
      }
    }
    bytes_ += group.a_bytes;
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
      const std::vector<std::byte> values = read(pairs[i].a_name, pairs[i].a, a.type, problems);
      if (problems.empty()) pack_lora_a(a.type, values.data(), a.rank, a.width, place);
      a.data = place;
    }
    for (size_t i = 0; i < pairs.size(); ++i) {
      PackedLora& b = group.parts[i].b;
      std::byte* place = take(packed_lora_b_bytes(b.type, b.rank, b.width));
      const int32_t out = model_.out_features(pairs[i].target.projection);
      const std::vector<std::byte> values = read(pairs[i].b_name, pairs[i].b, b.type, problems);
      if (problems.empty()) pack_lora_b(b.type, values.data(), out, b.rank, b.width - out, place);
      b.data = place;
    }
  }

  std::vector<std::byte> read(const std::string& name, const TensorInfo& info, LoraType type, ProblemList& problems) {
    return converted(source_.read_checked(name, info, problems), info.dtype, info.elements(), type);
  }

  const PeftAdapter& source_;
  const ModelConfig& model_;
  const std::optional<LoraType> type_;
  LoraAdapter* adapter_ = nullptr;
  size_t bytes_ = 0;
};

std::shared_ptr<const LoraAdapter> load_lora_adapter(const std::filesystem::path& folder, const ModelConfig& model,
                                                     std::optional<LoraType> type) {
  ProblemList problems;
  const PeftAdapter source(folder, model, problems);
  refuse_if_any(problems);
  try {
    auto adapter = LoraPacker(source, model, type).pack(problems);
    refuse_if_any(problems);
    return adapter;
  } catch (const std::range_error& error) {
    // What was read before is finite: only a value beyond the range of the packed type is left.
    throw Error("adapter_refused", folder.string() + ": found " + error.what());
  }
}

}  // namespace sgmv
