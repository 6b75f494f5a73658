// One fused projection of a layer for a mixed batch: y = x · W^T + bias, and for every segment with an adapter
// y += scale · (x · A^T) · B^T, before the bias times DoRA's factors where the adapter has some. Two loops over the pool: the shrinks, then the panels of W, each of which ends with the
// expands that fall on its columns, while its sums are still in registers' reach. Panels are bound by arithmetic and
// factors by memory, so while a panel is multiplied the factors that come next are on their way.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "cpu/cpu_device.h"
#include "layers/lora_adapter.h"
#include "ops/activations.h"
#include "ops/gemm_cpu.h"
#include "sgmv/model.h"

namespace sgmv {

struct Linear {
  PackedMatrix weights;
  std::vector<float> bias;  // [out] or empty
  const float* bias_data() const { return bias.empty() ? nullptr : bias.data(); }
  size_t bytes() const { return weights.bytes() + bias.size() * sizeof(float); }
};

class FusedLinear {
 public:
  // `narrow`: bfloat16 factors may be multiplied in bfloat16.
  explicit FusedLinear(bool narrow) : narrow_(narrow) {}

  // Which segments of the batch have which adapter; the same for all layers of a forward pass.
  void plan(std::span<const Segment> segments);
  // Rows of a batch that have an adapter; `expert`: whose projections they pass, an expert's or a head's, or -1.
  struct Run {
    int64_t begin, end;
    const LoraAdapter* adapter;
    int32_t expert = -1;
  };
  // The same of any rows, in their order.
  void plan(std::span<const Run> runs);
  // What inputs must be encoded to for the adapters of the plan.
  ActivationForms forms() const { return forms_; }

  struct Place {
    int32_t layer;
    ProjectionGroup group;
  };
  // In this order: prepare(); x is written and encoded, row by row, each row followed by shrink_row() on whatever thread
  // wrote it; run(). A token that is alone with its adapter is so shrunk while its row is at hand.
  void prepare(Place place);
  void shrink_row(const Kernels& kernels, const Activations& x, int64_t token);
  // `next`: whose A matrices will be read after this projection.
  void run(CpuDevice& device, const Linear& linear, std::optional<Place> next, const Activations& x, int64_t tokens, Activations& y);
  void run(CpuDevice& device, const GemmWork& gemm, std::optional<Place> next);
  void run(CpuDevice& device, const GemmList& gemms, std::optional<Place> next);  // of one x
  // What else the next run() shall ask for.
  PrefetchList& also() { return also_; }
  // Adds the A matrices that are read at `next`.
  void list_shrinks(Place next, PrefetchList& list) const;

 private:
  // One part of one run's adapter: rows [begin, end) of the batch, from `v_row` on in v; B's panels.
  struct Task {
    int64_t begin, end, v_row;
    const LoraPart* part;
    const std::byte* b;
    int64_t b_panel_bytes;
  };
  // Tasks of one projection, which fall on the same panels: tasks_[begin, end).
  struct Column {
    int64_t panel_begin, panel_end;
    size_t begin, end;
    bool dora;  // of any
  };

  void index_runs();
  static const LoraGroup& group_of(const Run& run, Place place) { return run.adapter->group(place.layer, place.group, run.expert); }
  // The column's tasks that share rows [begin, end).
  std::span<const Task> tasks_of(const Column& column, int64_t begin, int64_t end) const;
  void add_task(const Run& run, const LoraPart& part, int64_t v_row);
  void shrink_tokens(const Kernels& kernels, const Task& task, const Activations& x, int64_t token, int64_t tokens);
  void shrink_runs(CpuDevice& device, const Activations& x);
  void expand(const Kernels& kernels, const PanelTile& tile) const;
  void apply_dora(const PanelTile& tile) const;
  template <typename Which, typename Visit>
  void for_each_task(const PanelTile& tile, Which which, Visit visit) const;
  void ask_ahead(const GemmList::Place& place, const PanelTile& tile, Prefetch& ahead) const;

  const bool narrow_;
  ActivationForms forms_;
  std::vector<Run> runs_;
  size_t lone_count_ = 0;
  std::vector<int32_t> lone_;  // number of a token that is alone in its run, else -1; tokens beyond the last run are left out
  std::vector<Task> tasks_;                           // projection by projection, within one by run
  std::vector<Column> columns_;                       // [projections of the group that some adapter has]
  std::vector<int32_t> lone_tasks_;                   // [lone runs, projections]: the task, or -1
  std::vector<std::pair<int32_t, int64_t>> shrinks_;  // of longer runs: a task and the first of up to kShrinkTokens tokens
  Activations v_;
  GemmList single_;
  PrefetchList next_, also_;
};

}  // namespace sgmv
