// One block finds in one row where a sum over the tokens in descending order crosses a target, without making that order:
// tokens are counted and their masses added in bins by distance from the highest logit, the bin in which the sum crosses
// is cut finer until few tokens are in it, and those are compared with one another. docs/kernels/sampling.md has the design.
#pragma once

#include "cuda/reduce.cuh"
#include "ops/sampling_weights.cuh"

namespace sgmv::cuda::sampling {

inline constexpr int kThreads = 1024;
inline constexpr int kDigitBits = 10;
inline constexpr int kBins = 1 << kDigitBits;  // as many as threads: each has one when sums run over them
static_assert(kBins == kThreads);
inline constexpr float kBinsPerUnit = 32.0f;   // of (highest - logit) / temperature; tokens beyond the last bin weigh less than 2^-46
inline constexpr int kListed = 512;            // tokens that are compared with one another
inline constexpr int kAhead = 8;               // loads that a thread has under way

struct Row {
  const float* logits;
  int vocab;
  float highest;
  float temperature;
  float bins_per_logit;
};

struct Sum {
  uint32_t count;
  uint64_t mass;
};
__device__ __forceinline__ Sum operator+(Sum a, Sum b) { return {a.count + b.count, a.mass + b.mass}; }
__device__ __forceinline__ Sum operator-(Sum a, Sum b) { return {a.count - b.count, a.mass - b.mass}; }

// Masses lie in halves, which 32-bit atomics can add to.
struct Bins {
  uint32_t count[kBins], low[kBins], high[kBins];
};

struct Shared {
  Bins bins;        // by distance from the highest logit
  Bins finer;       // of one bin
  uint64_t place[kListed], mass[kListed];
  uint64_t of_warp[kBlockWarpsMax], of_part[kBlockWarpsMax];
  uint32_t count_of_warp[kBlockWarpsMax];
  uint32_t listed;
  int bin;
  int32_t found_id;
  uint64_t found_mass;
};

// Calls visit(id, logit) for every token.
template <typename Visit>
__device__ __forceinline__ void for_each_token(const float* logits, int vocab, Visit visit) {
  for (int begin = static_cast<int>(threadIdx.x); begin < vocab; begin += kAhead * kThreads) {
    float ahead[kAhead];
    for (int i = 0; i < kAhead; ++i) ahead[i] = begin + i * kThreads < vocab ? logits[begin + i * kThreads] : 0.0f;
    for (int i = 0; i < kAhead; ++i)
      if (begin + i * kThreads < vocab) visit(begin + i * kThreads, ahead[i]);
  }
}

// The highest logit's place, or that of a NaN.
__device__ __forceinline__ uint64_t find_highest(const float* logits, int vocab, Shared& shared) {
  uint32_t rank = 0;
  int32_t of = 0;
  for_each_token(logits, vocab, [&](int32_t id, float logit) {
    const uint32_t here = rank_of(logit);
    if (here > rank) rank = here, of = id;  // ids rise: the first of equals stays
  });
  return block_reduce(place_of(rank, of), shared.of_warp, [](uint64_t a, uint64_t b) { return a > b ? a : b; });
}

// In bins; falls as the logit rises. 0 for the highest.
__device__ __forceinline__ float distance(const Row& row, float logit) { return rounded_product(row.highest - logit, row.bins_per_logit); }
__device__ __forceinline__ float weight_of(const Row& row, float logit) { return exp_negative(rounded_quotient(logit - row.highest, row.temperature)); }

// Rises as the logit falls, and with nothing else: 32 bits of distance, then the rank.
__device__ __forceinline__ uint64_t key_of(const Row& row, float logit) {
  return uint64_t{static_cast<uint32_t>(distance(row, logit) * (4294967296.0f / kBins))} << 32 | ~rank_of(logit);
}

// Tokens whose keys begin with `prefix`, behind which are `shift` bits.
struct Range {
  uint64_t prefix = 0;
  int shift = 64;
};

// Calls visit(id, logit, key) for the tokens of `range`.
template <typename Visit>
__device__ __forceinline__ void for_each_in(const Row& row, Range range, Visit visit) {
  const auto bin = static_cast<float>(range.prefix >> (64 - kDigitBits - range.shift));
  for_each_token(row.logits, row.vocab, [&](int32_t id, float logit) {
    const float at = distance(row, logit);
    if (!(at >= bin && at < bin + 1)) return;  // what most tokens come to
    if (const uint64_t key = key_of(row, logit); key >> range.shift == range.prefix) visit(id, logit, key);
  });
}

__device__ __forceinline__ void clear(Bins& bins) {
  __syncthreads();  // others may still read what is in them
  bins.count[threadIdx.x] = bins.low[threadIdx.x] = bins.high[threadIdx.x] = 0;
  __syncthreads();
}

__device__ __forceinline__ void add_to(Bins& bins, int bin, uint64_t mass) {
  const auto low = static_cast<uint32_t>(mass);
  atomicAdd(&bins.count[bin], 1u);
  const uint32_t before = atomicAdd(&bins.low[bin], low);
  const uint32_t high = static_cast<uint32_t>(mass >> 32) + (before + low < low ? 1 : 0);
  if (high != 0) atomicAdd(&bins.high[bin], high);
}

// The sums of bins 0 to `bin`, once they are running.
__device__ __forceinline__ Sum through(const Bins& bins, int bin) {
  if (bin < 0) return {0, 0};
  return {bins.count[bin], uint64_t{bins.high[bin]} << 32 | bins.low[bin]};
}

__device__ __forceinline__ void make_running(Bins& bins, Shared& shared) {
  __syncthreads();
  const int bin = static_cast<int>(threadIdx.x);
  const Sum own = through(bins, bin);
  const uint32_t count = block_running_sum(own.count, shared.count_of_warp);
  const uint64_t mass = block_running_sum(own.mass, shared.of_warp);
  bins.count[bin] = count;
  bins.low[bin] = static_cast<uint32_t>(mass);
  bins.high[bin] = static_cast<uint32_t>(mass >> 32);
  __syncthreads();
}

// Returns the highest rank whose weight is below min_p, 0 if there is none.
__device__ __forceinline__ uint32_t fill_bins(const Row& row, float min_p, Shared& shared) {
  clear(shared.bins);
  uint32_t below = 0;
  for_each_token(row.logits, row.vocab, [&](int32_t, float logit) {
    const float at = distance(row, logit);
    if (!(at < kBins)) return;
    const float weight = weight_of(row, logit);
    if (weight < min_p) below = max(below, rank_of(logit));
    add_to(shared.bins, static_cast<int>(at), mass_of(weight));
  });
  make_running(shared.bins, shared);
  return block_reduce(below, shared.count_of_warp, [](uint32_t a, uint32_t b) { return a > b ? a : b; });
}

__device__ __forceinline__ void fill_finer(const Row& row, Range range, int shift, Shared& shared) {
  clear(shared.finer);
  for_each_in(row, range, [&](int32_t, float logit, uint64_t key) {
    const auto digit = static_cast<int>(key >> shift & ((1u << (range.shift - shift)) - 1));
    add_to(shared.finer, digit, mass_of(weight_of(row, logit)));
  });
  make_running(shared.finer, shared);
}

// Warp w adds up part w of 32 of [begin, end).
template <typename Value>
__device__ __forceinline__ uint64_t add_parts(const Row& row, int begin, int end, Value value, Shared& shared) {
  const int warp = static_cast<int>(threadIdx.x) / kWarpThreads, lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  const int part = (end - begin + kBlockWarpsMax - 1) / kBlockWarpsMax;
  const int part_begin = begin + warp * part, part_end = min(part_begin + part, end);
  uint64_t sum = 0;
  for (int from = part_begin + lane; from < part_end; from += kAhead * kWarpThreads) {
    float ahead[kAhead];
    for (int i = 0; i < kAhead; ++i) ahead[i] = from + i * kWarpThreads < part_end ? row.logits[from + i * kWarpThreads] : 0.0f;
    for (int i = 0; i < kAhead; ++i)
      if (from + i * kWarpThreads < part_end) sum += value(ahead[i]);
  }
  sum = warp_sum(sum);
  if (lane == 0) shared.of_part[warp] = sum;
  __syncthreads();
  uint64_t total = 0;
  for (int i = 0; i < kBlockWarpsMax; ++i) total += shared.of_part[i];
  return total;
}

// The lowest id up to which the sum of values is above `target`, after add_parts() over the whole row.
template <typename Value>
__device__ __forceinline__ int32_t find_by_id(const Row& row, Value value, uint64_t target, Shared& shared) {
  int begin = 0, end = row.vocab;
  while (true) {
    const int part = (end - begin + kBlockWarpsMax - 1) / kBlockWarpsMax;
    for (int i = 0; i < kBlockWarpsMax - 1 && shared.of_part[i] <= target; ++i) {
      target -= shared.of_part[i];
      begin += part;
    }
    end = min(begin + part, end);
    __syncthreads();
    if (end - begin <= kThreads) break;
    add_parts(row, begin, end, value, shared);
  }
  const int id = begin + static_cast<int>(threadIdx.x);
  const uint64_t own = id < end ? value(row.logits[id]) : 0;
  const uint64_t sum = block_running_sum(own, shared.of_warp);
  if (sum > target && sum - own <= target) shared.found_id = id;
  __syncthreads();
  return shared.found_id;
}

struct Found {
  int32_t id;
  uint64_t mass;  // of all tokens up to this one
};

// The running sum of counts or of masses that is looked at.
__device__ __forceinline__ uint64_t measure(Sum sum, bool by_count) { return by_count ? sum.count : sum.mass; }

// Among at most kListed tokens: each thread adds up what ranks before its own.
__device__ __forceinline__ Found find_listed(const Row& row, Range range, Sum before, bool by_count, uint64_t target, Shared& shared) {
  if (threadIdx.x == 0) shared.listed = 0;
  __syncthreads();
  for_each_in(row, range, [&](int32_t id, float logit, uint64_t) {
    const uint32_t slot = atomicAdd(&shared.listed, 1u);
    shared.place[slot] = place_of(rank_of(logit), id);
    shared.mass[slot] = mass_of(weight_of(row, logit));
  });
  __syncthreads();
  if (threadIdx.x < shared.listed) {
    const uint64_t place = shared.place[threadIdx.x];
    const Sum own = {1, shared.mass[threadIdx.x]};
    for (uint32_t i = 0; i < shared.listed; ++i)
      if (shared.place[i] > place) before = before + Sum{1, shared.mass[i]};
    if (measure(before, by_count) <= target && target < measure(before + own, by_count)) {
      shared.found_id = static_cast<int32_t>(~static_cast<uint32_t>(place));
      shared.found_mass = before.mass + own.mass;
    }
  }
  __syncthreads();
  return {shared.found_id, shared.found_mass};
}

// Among equal logits, which `range` has only one of, `all` of them: the lower id is before.
__device__ __forceinline__ Found find_equal(const Row& row, Range range, Sum before, Sum all, bool by_count, uint64_t target, Shared& shared) {
  const auto rank = ~static_cast<uint32_t>(range.prefix);
  const uint64_t mass = all.mass / all.count;
  const uint64_t which = by_count ? target - before.count : (target - before.mass) / mass;
  const auto is_one = [rank](float logit) -> uint64_t { return rank_of(logit) == rank ? 1 : 0; };
  add_parts(row, 0, row.vocab, is_one, shared);
  return {find_by_id(row, is_one, which, shared), before.mass + (which + 1) * mass};
}

// The first token in descending order at which the sum is above `target`, which the sum of all is.
__device__ __forceinline__ Found find(const Row& row, bool by_count, uint64_t target, Shared& shared) {
  const Bins* bins = &shared.bins;
  const int own = static_cast<int>(threadIdx.x);
  Range range;
  int shift = range.shift - kDigitBits;
  Sum before = {0, 0};
  while (true) {
    if (measure(before + through(*bins, own - 1), by_count) <= target && target < measure(before + through(*bins, own), by_count)) shared.bin = own;
    __syncthreads();
    const int bin = shared.bin;
    const Sum here = through(*bins, bin) - through(*bins, bin - 1);
    before = before + through(*bins, bin - 1);
    range = {range.prefix << (range.shift - shift) | static_cast<uint64_t>(bin), shift};
    if (here.count <= kListed) return find_listed(row, range, before, by_count, target, shared);
    if (range.shift == 0) return find_equal(row, range, before, here, by_count, target, shared);
    shift = max(0, range.shift - kDigitBits);
    fill_finer(row, range, shift, shared);
    bins = &shared.finer;
  }
}

}  // namespace sgmv::cuda::sampling
