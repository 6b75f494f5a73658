#include "models/step_inputs_cuda.h"

#include <algorithm>

namespace sgmv::cuda {

StepArrays StepInputs::lay_out(std::byte* base, size_t& bytes) const {
  bytes = 0;
  const auto take = [&]<typename T>(T*& array, int64_t count) {
    array = reinterpret_cast<T*>(base + bytes);
    bytes += (static_cast<size_t>(count) * sizeof(T) + 255) / 256 * 256;
  };
  StepArrays a{};
  take(a.token_ids, tokens_);
  take(a.positions, tokens_);
  take(a.slots, tokens_);
  take(a.long_context, tokens_);
  take(a.factors, tokens_);
  take(a.router_factors, tokens_);
  take(a.expert_factors, tokens_);
  take(a.kv_b_factors, tokens_);
  take(a.embeddings, tokens_);
  take(a.tiles, tokens_);
  take(a.rows, rows_);
  take(a.row_factors, rows_);
  take(a.draws, rows_);
  take(a.slices, has_states_ ? tokens_ : 0);
  take(a.slice_of_token, has_states_ ? tokens_ : 0);
  take(a.block_tables, 0);
  return a;
}

bool StepInputs::reserve(const Stream& stream, int64_t tokens, int64_t rows, int64_t table_entries) {
  if (tokens <= tokens_ && rows <= rows_ && table_entries <= table_entries_) return false;
  stream.synchronize();
  const auto grown = [](int64_t have, int64_t want) { return want <= have ? have : std::max(want, 2 * have); };
  tokens_ = grown(tokens_, tokens);
  rows_ = grown(rows_, rows);
  table_entries_ = grown(table_entries_, table_entries);
  try {
    allocate();
  } catch (...) {
    tokens_ = rows_ = table_entries_ = 0;
    throw;
  }
  return true;
}

void StepInputs::allocate() {
  lay_out(nullptr, bytes_before_tables_);
  const size_t bytes = bytes_before_tables_ + static_cast<size_t>(table_entries_) * sizeof(int32_t);
  for (size_t i = 0; i < host_.size(); ++i) {
    host_bytes_[i].reserve(bytes);
    host_[i] = lay_out(host_bytes_[i].data(), bytes_before_tables_);
  }
  device_bytes_.reserve(bytes);
  device_ = lay_out(device_bytes_.data(), bytes_before_tables_);
}

void StepInputs::upload(cudaStream_t stream, int64_t table_entries) const {
  const size_t bytes = bytes_before_tables_ + static_cast<size_t>(table_entries) * sizeof(int32_t);
  check(cudaMemcpyAsync(device_bytes_.data(), host_bytes_[host_index_].data(), bytes, cudaMemcpyHostToDevice, stream), "copying a step's inputs to the device");
}

}  // namespace sgmv::cuda
