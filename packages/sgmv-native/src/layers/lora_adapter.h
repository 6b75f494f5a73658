// An adapter in the layout of the CPU kernels. Projections that share an input share one shrink: their A matrices
// lie in one block. All factors lie in one allocation in the order a step reads them.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <vector>

#include "cpu/aligned_buffer.h"
#include "sgmv/adapter.h"
#include "sgmv/model_config.h"
#include "sgmv/ops.h"

namespace sgmv {

enum class ProjectionGroup : uint8_t { qkv, o, gate_up, down };
inline constexpr int kGroupCount = 4;
ProjectionGroup group_of(Projection p);

struct LoraPart {
  Projection projection;
  float scale;
  PackedLora b;
  int32_t v_offset;  // first of its ranks in the group's v row
  int32_t y_column;  // first of its columns in the group's fused output
};

struct LoraGroup {
  PackedLora a;  // rank: the sum over the parts; 0 when the group has none
  std::vector<LoraPart> parts;
};

class LoraAdapter : public Adapter {
 public:
  size_t bytes() const override { return data_.bytes(); }
  int32_t rank_max() const override { return rank_max_; }
  const LoraGroup& group(int32_t layer, ProjectionGroup group) const {
    return layers_[static_cast<size_t>(layer)][static_cast<size_t>(group)];
  }
  int32_t layers() const { return static_cast<int32_t>(layers_.size()); }
  int32_t rank_sum_max() const { return rank_sum_max_; }

 private:
  friend class LoraPacker;
  std::vector<std::array<LoraGroup, kGroupCount>> layers_;
  AlignedBuffer<std::byte> data_;
  int32_t rank_max_ = 0;
  int32_t rank_sum_max_ = 0;
};

// Reads, checks and packs. Throws Error adapter_refused with the first problem, or adapter_not_found.
std::shared_ptr<const LoraAdapter> load_lora_adapter(const std::filesystem::path& folder, const ModelConfig& model);

}  // namespace sgmv
