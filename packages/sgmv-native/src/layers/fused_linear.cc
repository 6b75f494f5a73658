#include "layers/fused_linear.h"

#include <algorithm>

#include "ops/sgmv_cpu.h"

namespace sgmv {
namespace {

constexpr int64_t kShrinkTokens = 32;  // of one item
constexpr size_t kPartsMax = 4;        // projections of a group

std::span<const Projection> projections_of(ProjectionGroup group) {
  using enum Projection;
  static constexpr Projection of_qkv[] = {q, q_a, k, v, qkv, kv_a}, of_latent_q[] = {q_b}, of_latent_up[] = {kv_b}, of_o[] = {o}, of_gate_up[] = {gate, up, gate_up}, of_down[] = {down}, of_router[] = {router, shared_gate},
                              of_state_in[] = {in_qkv, in_z, in_b, in_a, in_qkvz, in_ba, in}, of_state_out[] = {out}, of_per_token_gate[] = {per_token_gate}, of_per_token_out[] = {per_token_out},
                              of_per_token_in[] = {per_token_in}, of_head[] = {lm_head};
  switch (group) {
    case ProjectionGroup::qkv: return of_qkv;
    case ProjectionGroup::o: return of_o;
    case ProjectionGroup::gate_up: return of_gate_up;
    case ProjectionGroup::down: return of_down;
    case ProjectionGroup::router: return of_router;
    case ProjectionGroup::state_in: return of_state_in;
    case ProjectionGroup::state_out: return of_state_out;
    case ProjectionGroup::latent_q: return of_latent_q;
    case ProjectionGroup::latent_k:
    case ProjectionGroup::latent_v: return of_latent_up;
    case ProjectionGroup::per_token_gate: return of_per_token_gate;
    case ProjectionGroup::per_token_out: return of_per_token_out;
    case ProjectionGroup::per_token_in: return of_per_token_in;
    case ProjectionGroup::head: return of_head;
    case ProjectionGroup::embedding: break;  // no product: see LoraEmbedding
  }
  return {};
}

}  // namespace

void FusedLinear::plan(std::span<const Segment> segments) {
  runs_.clear();
  for (const Segment& segment : segments) {
    if (segment.adapter == nullptr || segment.token_begin == segment.token_end) continue;
    const auto* adapter = static_cast<const LoraAdapter*>(segment.adapter);
    if (!runs_.empty() && runs_.back().adapter == adapter && runs_.back().end == segment.token_begin) runs_.back().end = segment.token_end;
    else runs_.push_back({segment.token_begin, segment.token_end, adapter});
  }
  index_runs();
}

void FusedLinear::plan(std::span<const Run> runs) {
  runs_.assign(runs.begin(), runs.end());
  index_runs();
}

void FusedLinear::index_runs() {
  forms_ = {};
  for (const Run& run : runs_) forms_ = forms_ | run.adapter->forms(narrow_);
  lone_.assign(runs_.empty() ? 0 : static_cast<size_t>(runs_.back().end), -1);
  lone_count_ = 0;
  for (const Run& run : runs_)
    if (run.end - run.begin == 1) lone_[static_cast<size_t>(run.begin)] = static_cast<int32_t>(lone_count_++);
}

void FusedLinear::prepare(Place place) {
  tasks_.clear();
  columns_.clear();
  shrinks_.clear();
  lone_tasks_.assign(lone_count_ * kPartsMax, -1);
  // Nobody has read them since the last step: ask for all at once.
  for (const Run& run : runs_) __builtin_prefetch(&group_of(run, place));
  for (const Run& run : runs_) {
    const std::vector<LoraPart>& parts = group_of(run, place).parts;
    const auto* bytes = reinterpret_cast<const std::byte*>(parts.data());
    for (size_t at = 0; at < parts.size() * sizeof(LoraPart); at += 64) __builtin_prefetch(bytes + at);
  }
  int64_t rows = 0, rank = 0;
  for (const Projection projection : projections_of(place.group)) {
    const size_t begin = tasks_.size();
    bool dora = false;
    for (const Run& run : runs_)
      for (const LoraPart& part : group_of(run, place).parts)
        if (part.projection == projection) {
          add_task(run, part, rows);
          rows += run.end - run.begin;
          rank = std::max<int64_t>(rank, part.a.rank);
          dora = dora || part.column_factors != nullptr;
        }
    if (begin == tasks_.size()) continue;
    const LoraPart& part = *tasks_[begin].part;
    columns_.push_back({part.panel_begin, part.panel_begin + panels_of(part.b.width), begin, tasks_.size(), dora});
  }
  if (rows > 0) v_.reserve(rows, rank, forms_);
}

void FusedLinear::add_task(const Run& run, const LoraPart& part, int64_t v_row) {
  const auto index = static_cast<int32_t>(tasks_.size());
  tasks_.push_back({run.begin, run.end, v_row, &part, static_cast<const std::byte*>(part.b.data), lora_b_panel_bytes(part.b.type, part.b.rank)});
  if (run.end - run.begin == 1) {
    lone_tasks_[static_cast<size_t>(lone_[static_cast<size_t>(run.begin)]) * kPartsMax + columns_.size()] = index;
    return;
  }
  for (int64_t token = run.begin; token < run.end; token += kShrinkTokens) shrinks_.emplace_back(index, token);
}

void FusedLinear::shrink_tokens(const Kernels& kernels, const Task& task, const Activations& x, int64_t token, int64_t tokens) {
  const int64_t row = task.v_row + token - task.begin;
  shrink_rows(kernels, task.part->a, narrow_, x, token, tokens, v_.row(row), v_.stride());
  for (int64_t t = 0; t < tokens; ++t) v_.encode(kernels, row + t, task.part->a.rank);
}

void FusedLinear::shrink_row(const Kernels& kernels, const Activations& x, int64_t token) {
  if (token >= static_cast<int64_t>(lone_.size()) || lone_[static_cast<size_t>(token)] < 0) return;
  const size_t lone = static_cast<size_t>(lone_[static_cast<size_t>(token)]);
  for (size_t i = lone * kPartsMax; i < (lone + 1) * kPartsMax; ++i)
    if (lone_tasks_[i] >= 0) shrink_tokens(kernels, tasks_[static_cast<size_t>(lone_tasks_[i])], x, token, 1);
}

void FusedLinear::shrink_runs(CpuDevice& device, const Activations& x) {
  device.pool().parallel_for(static_cast<int64_t>(shrinks_.size()), [&](int64_t item, int) {
    const auto& [index, token] = shrinks_[static_cast<size_t>(item)];
    const Task& task = tasks_[static_cast<size_t>(index)];
    shrink_tokens(device.kernels(), task, x, token, std::min(kShrinkTokens, task.end - token));
  });
}

// Calls visit(task, panel of its B, begin, end) for the tasks that share rows [begin, end) with the tile, of columns that
// share its panel and have what is asked for.
template <typename Which, typename Visit>
void FusedLinear::for_each_task(const PanelTile& tile, Which which, Visit visit) const {
  const int64_t row_end = tile.row_begin + tile.row_count;
  for (const Column& column : columns_) {
    if (tile.panel < column.panel_begin || tile.panel >= column.panel_end || !which(column)) continue;
    for (const Task& task : tasks_of(column, tile.row_begin, row_end))
      visit(task, tile.panel - column.panel_begin, std::max(task.begin, tile.row_begin), std::min(task.end, row_end));
  }
}

std::span<const FusedLinear::Task> FusedLinear::tasks_of(const Column& column, int64_t begin, int64_t end) const {
  const auto all = std::span(tasks_).subspan(column.begin, column.end - column.begin);
  const auto first = std::partition_point(all.begin(), all.end(), [&](const Task& task) { return task.end <= begin; });
  return {first, std::partition_point(first, all.end(), [&](const Task& task) { return task.begin < end; })};
}

void FusedLinear::expand(const Kernels& kernels, const PanelTile& tile) const {
  for_each_task(tile, [](const Column&) { return true; }, [&](const Task& task, int64_t panel, int64_t begin, int64_t end) {
    expand_rows(kernels, task.part->b, narrow_, v_, task.v_row + begin - task.begin, end - begin, task.part->scale,
                task.b + panel * task.b_panel_bytes, tile.sums + (begin - tile.row_begin) * kPanelColumns);
  });
}

void FusedLinear::apply_dora(const PanelTile& tile) const {
  for_each_task(tile, [](const Column& column) { return column.dora; }, [&](const Task& task, int64_t panel, int64_t begin, int64_t end) {
    if (task.part->column_factors == nullptr) return;
    const float* factors = task.part->column_factors + panel * kPanelColumns;
    for (int64_t row = begin; row < end; ++row)
      for (int64_t i = 0; i < kPanelColumns; ++i) tile.sums[(row - tile.row_begin) * kPanelColumns + i] *= factors[i];
  });
}

// The next panel, its weights and the factors that go with it.
void FusedLinear::ask_ahead(const GemmList::Place& place, const PanelTile& tile, Prefetch& ahead) const {
  const GemmWork& gemm = place.work;
  const int64_t panel = tile.panel + 1;
  if (tile.row_begin + tile.row_count != gemm.row_begin + gemm.rows) return;
  if (panel < gemm.weights->panels()) {
    ahead.add(gemm.weights->panel(panel), gemm.weights->panel_bytes());
    for (const Column& column : columns_) {
      if (panel < column.panel_begin || panel >= column.panel_end) continue;
      for (const Task& task : tasks_of(column, gemm.row_begin, gemm.row_begin + gemm.rows))
        ahead.add(task.b + (panel - column.panel_begin) * task.b_panel_bytes, task.b_panel_bytes);
    }
  } else if (place.next != nullptr) {
    ahead.add(place.next->weights->panel(0), place.next->weights->panel_bytes());
  }
}

void FusedLinear::list_shrinks(Place next, PrefetchList& list) const {
  for (const Run& run : runs_) {
    const LoraGroup& group = group_of(run, next);
    list.add(group.a_data, static_cast<int64_t>(group.a_bytes));
  }
}

void FusedLinear::run(CpuDevice& device, const Linear& linear, std::optional<Place> next, const Activations& x, int64_t tokens, Activations& y) {
  run(device, {&x, tokens, &linear.weights, linear.bias_data(), y.row(0), y.stride()}, next);
}

void FusedLinear::run(CpuDevice& device, const GemmWork& gemm, std::optional<Place> next) {
  single_.clear();
  single_.add(gemm);
  run(device, single_, next);
}

void FusedLinear::run(CpuDevice& device, const GemmList& gemms, std::optional<Place> next) {
  device.reserve_scratch(GemmWork::scratch_floats());
  shrink_runs(device, *gemms.find(0).work.x);
  next_.clear();
  if (next) list_shrinks(*next, next_);
  device.pool().parallel_for(gemms.items(), [&](int64_t item, int worker) {
    const GemmList::Place place = gemms.find(item);
    const PanelTile tile = place.work.tile(device, place.item, worker);
    Prefetch& ahead = device.prefetch(worker);
    ahead.clear();
    ask_ahead(place, tile, ahead);
    next_.share(item, gemms.items(), ahead);
    also_.share(item, gemms.items(), ahead);
    place.work.product(device, tile, worker, ahead);
    expand(device.kernels(), tile);
    apply_dora(tile);
    place.work.finish(tile);
  });
  also_.clear();
}

}  // namespace sgmv
