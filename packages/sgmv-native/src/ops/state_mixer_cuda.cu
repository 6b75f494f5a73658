#include "ops/state_mixer_cuda.h"

#include "cuda/launch.h"
#include "cuda/reduce.cuh"

namespace sgmv::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = 32 * kWarps;
constexpr int kLaneNumbers = kStateHeadDimMax / 32;  // of a head, per lane
constexpr float kNormEps = 1e-6f;                    // of q and k
constexpr int kTile = LinearAttentionShape::kStateTile;
static_assert(kTile == 32, "a lane has a column");

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
__device__ __forceinline__ float softplus(float x) { return x > 20.0f ? x : log1pf(expf(x)); }

// A head of q, k or v: where it is in the product and among the channels of the convolution.
struct Head {
  int column, channel, dim;
  bool is_query, is_value;
};

__device__ __forceinline__ Head head_of(const LinearAttentionShape& shape, int head) {
  const int keys = shape.key_heads;
  if (head < keys) return {shape.q_column(head), shape.q_channel(head), shape.key_dim, true, false};
  if (head < 2 * keys) return {shape.k_column(head - keys), shape.k_channel(head - keys), shape.key_dim, false, false};
  return {shape.v_column(head - 2 * keys), shape.v_channel(head - 2 * keys), shape.value_dim, false, true};
}

// Grid: x: tokens, y: heads of q, k and v in fours; a warp has one head. Convolution, SiLU, norms of q and k; what a value head
// forgets and learns; and after a slice's last token the inputs that the next slice's convolution sees.
__global__ void __launch_bounds__(kThreads) mix_kernel(const StateWork work) {
  const LinearAttentionShape& shape = work.shape;
  const int token = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x) % 32;
  const int number = static_cast<int>(blockIdx.y) * kWarps + static_cast<int>(threadIdx.x) / 32;
  const int slice_index = work.slice_of_token[token];
  if (slice_index < 0 || number >= 2 * shape.key_heads + shape.value_heads) return;
  const StateSlice slice = work.slices[slice_index];
  const Head head = head_of(shape, number);
  const int channels = shape.conv_width(), last = shape.taps - 1, index = token - slice.token_begin;
  const float* row = work.projected + static_cast<int64_t>(token) * shape.width() + head.column;
  const float* before = slice.state_from < 0 ? nullptr : work.states + slice.state_from * work.slot_floats + shape.conv_at() + head.channel;
  // The input `ago` tokens before.
  const auto input = [&](int ago, int i) {
    if (ago <= index) return row[i - static_cast<int64_t>(ago) * shape.width()];
    return before == nullptr ? 0.0f : before[(last - (ago - index)) * static_cast<int64_t>(channels) + i];
  };
  float x[kLaneNumbers], squares = 0;
#pragma unroll
  for (int u = 0; u < kLaneNumbers; ++u) {
    const int i = lane + 32 * u;
    x[u] = 0;
    if (i >= head.dim) continue;
    float sum = work.conv_bias == nullptr ? 0.0f : work.conv_bias[head.channel + i];
    for (int tap = 0; tap <= last; ++tap) sum = fmaf(work.conv[static_cast<int64_t>(tap) * channels + head.channel + i], input(last - tap, i), sum);
    x[u] = sum * sigmoid(sum);
    squares = fmaf(x[u], x[u], squares);
  }
  const float total = warp_sum(squares);
  const float factor = head.is_value || shape.is_mamba() ? 1.0f : (head.is_query ? 1.0f / sqrtf(static_cast<float>(shape.key_dim)) : 1.0f) / sqrtf(total + kNormEps);
  float* to = work.mixed + static_cast<int64_t>(token) * channels + head.channel;
#pragma unroll
  for (int u = 0; u < kLaneNumbers; ++u)
    if (const int i = lane + 32 * u; i < head.dim) to[i] = x[u] * factor;
  if (head.is_value && lane == 0) {
    const int h = number - 2 * shape.key_heads;
    const float* product = work.projected + static_cast<int64_t>(token) * shape.width();
    float* gates = work.gates + static_cast<int64_t>(token) * 2 * shape.value_heads + h;
    const float step = softplus(shape.step_scale * product[shape.a_column(h)] + work.dt_bias[h]);
    const float used = shape.is_mamba() ? fminf(fmaxf(step, shape.step_min), shape.step_max) : step;
    gates[0] = expf(work.decay_rates[h] * used);
    gates[shape.value_heads] = shape.is_mamba() ? used : sigmoid(product[shape.b_column(h)]);
  }
  if (index + 1 != slice.token_count) return;
  float* after = work.states + slice.state_to * work.slot_floats + shape.conv_at() + head.channel;
  for (int kept = 0; kept < last; ++kept)
    for (int i = lane; i < head.dim; i += 32) after[static_cast<int64_t>(kept) * channels + i] = input(last - 1 - kept, i);
}

// Grid: x: value heads and tiles of their columns, y: slices. A lane has a column of the state, a warp every fourth row: kRows of them in
// registers. Each token's q and k pass through shared memory; sums over rows are added warp by warp. Without kCorrects what the state knows
// of k is not taken off v.
template <int kRows, bool kCorrects>
__global__ void __launch_bounds__(kThreads) delta_kernel(const StateWork work) {
  __shared__ float queries[2][kRows * kWarps], keys[2][kRows * kWarps];
  __shared__ float known[kWarps][32], read[kWarps][32];
  const LinearAttentionShape& shape = work.shape;
  const StateSlice slice = work.slices[blockIdx.y];
  if (slice.token_count == 0) return;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int tiles = static_cast<int>(shape.tiles()), head = static_cast<int>(blockIdx.x) / tiles, column = static_cast<int>(blockIdx.x) % tiles * kTile + lane;
  const int key_dim = shape.key_dim, channels = shape.conv_width();
  const bool used = column < shape.value_dim;
  const int64_t tile = static_cast<int64_t>(blockIdx.x) * shape.tile_floats() + lane;
  const float* from = slice.state_from < 0 ? nullptr : work.states + slice.state_from * work.slot_floats + tile;
  float state[kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const int row = r * kWarps + warp;
    state[r] = from == nullptr || row >= key_dim ? 0.0f : from[row * kTile];
  }
  const auto write = [&](int token) {
    if (warp == 0 && used) work.read[static_cast<int64_t>(token) * shape.values() + head * shape.value_dim + column] = ((read[0][lane] + read[1][lane]) + read[2][lane]) + read[3][lane];
  };
  const int end = slice.token_begin + slice.token_count;
  for (int token = slice.token_begin; token < end; ++token) {
    const float* mixed = work.mixed + static_cast<int64_t>(token) * channels;
    const float* gates = work.gates + static_cast<int64_t>(token) * 2 * shape.value_heads + head;
    float(&q)[kRows * kWarps] = queries[token % 2];
    float(&k)[kRows * kWarps] = keys[token % 2];
    // Channels: as the shape has them, of the rule that this kernel is for.
    const int key = head / shape.per_key_head() * key_dim, of_keys = kCorrects ? shape.keys() : shape.values(), of_queries = kCorrects ? 0 : of_keys + shape.keys();
    for (int i = thread; i < kRows * kWarps; i += kThreads) {
      q[i] = i < key_dim ? mixed[of_queries + key + i] : 0.0f;
      k[i] = i < key_dim ? mixed[of_keys + key + i] : 0.0f;
    }
    const float decay = gates[0], beta = gates[shape.value_heads];
    const float value = used ? mixed[(kCorrects ? 2 * shape.keys() : 0) + head * shape.value_dim + column] : 0.0f;
    __syncthreads();
    if (token > slice.token_begin) write(token - 1);
    float delta = beta * value;
    if constexpr (kCorrects) {
      float sum = 0;
#pragma unroll
      for (int r = 0; r < kRows; ++r) sum = fmaf(k[r * kWarps + warp], state[r], sum);
      known[warp][lane] = sum;
    }
    __syncthreads();
    if constexpr (kCorrects) delta = beta * (value - decay * (((known[0][lane] + known[1][lane]) + known[2][lane]) + known[3][lane]));
    float out = 0;
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      state[r] = fmaf(k[r * kWarps + warp], delta, decay * state[r]);
      out = fmaf(q[r * kWarps + warp], state[r], out);
    }
    read[warp][lane] = out;
  }
  __syncthreads();
  write(end - 1);
  float* to = work.states + slice.state_to * work.slot_floats + tile;
#pragma unroll
  for (int r = 0; r < kRows; ++r)
    if (const int row = r * kWarps + warp; row < key_dim) to[row * kTile] = state[r];
}

// Grid: x: tokens, y: value heads in fours; a warp has one head.
template <typename T>
__global__ void __launch_bounds__(kThreads) norm_kernel(const StateWork work, int64_t stride) {
  const LinearAttentionShape& shape = work.shape;
  const int64_t token = blockIdx.x;
  const int lane = static_cast<int>(threadIdx.x) % 32, head = static_cast<int>(blockIdx.y) * kWarps + static_cast<int>(threadIdx.x) / 32, dim = shape.value_dim;
  if (head >= shape.value_heads || work.slice_of_token[token] < 0) return;
  const float *from = work.read + token * shape.values() + head * dim, *gate = work.projected + token * shape.width() + shape.z_column(head);
  float x[kLaneNumbers], squares = 0;
#pragma unroll
  for (int u = 0; u < kLaneNumbers; ++u) {
    const int i = lane + 32 * u;
    x[u] = i < dim ? from[i] : 0.0f;
    squares = fmaf(x[u], x[u], squares);
  }
  const float factor = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(dim) + work.eps);
  T* to = static_cast<T*>(work.out) + token * stride + head * dim;
#pragma unroll
  for (int u = 0; u < kLaneNumbers; ++u)
    if (const int i = lane + 32 * u; i < dim) to[i] = from_float<T>(work.norm[i] * (x[u] * factor) * (gate[i] * sigmoid(gate[i])));
}

// Grid: x: tokens, y: what is normed together. D · x is added to what the states gave.
template <typename T>
__global__ void __launch_bounds__(kThreads) skip_and_norm_kernel(const StateWork work, int64_t stride) {
  __shared__ float of_warp[kBlockWarpsMax];
  const LinearAttentionShape& shape = work.shape;
  const int64_t token = blockIdx.x;
  if (work.slice_of_token[token] < 0) return;
  const int width = shape.norm_width(), first = static_cast<int>(blockIdx.y) * width;
  const float *x = work.mixed + token * shape.conv_width() + shape.v_channel(0), *z = work.projected + token * shape.width() + shape.z_column(0);
  float* read = work.read + token * shape.values();
  float squares = 0;
  for (int i = first + static_cast<int>(threadIdx.x); i < first + width; i += kThreads) {
    const float gate = shape.gate_scale * z[i], y = fmaf(work.skip[i / shape.value_dim], x[i], read[i]);
    read[i] = shape.gate == StateGate::before_norm ? y * (gate * sigmoid(gate)) : y;
    squares = fmaf(read[i], read[i], squares);
  }
  float factor = shape.out_scale;
  if (shape.gate != StateGate::alone) factor /= sqrtf(block_sum(squares, of_warp) / static_cast<float>(width) + work.eps);
  T* to = static_cast<T*>(work.out) + token * stride;
  for (int i = first + static_cast<int>(threadIdx.x); i < first + width; i += kThreads) {
    const float gate = shape.gate_scale * z[i], y = read[i] * factor * (shape.gate == StateGate::alone ? 1.0f : work.norm[i]);
    to[i] = from_float<T>(shape.gate == StateGate::before_norm ? y : y * (gate * sigmoid(gate)));
  }
}

// Grid: x: tokens, y: channels; a thread has one. The whole of a short convolution.
template <typename T>
__global__ void __launch_bounds__(kThreads) short_conv_kernel(const StateWork work, int64_t stride) {
  const LinearAttentionShape& shape = work.shape;
  const int token = static_cast<int>(blockIdx.x), channels = shape.values(), channel = static_cast<int>(blockIdx.y) * kThreads + static_cast<int>(threadIdx.x);
  const int slice_index = work.slice_of_token[token];
  if (slice_index < 0 || channel >= channels) return;
  const StateSlice slice = work.slices[slice_index];
  const int last = shape.taps - 1, index = token - slice.token_begin;
  const float* row = work.projected + static_cast<int64_t>(token) * shape.width() + channel;
  const float* before = slice.state_from < 0 ? nullptr : work.states + slice.state_from * work.slot_floats + channel;
  const auto input = [&](int ago) {
    if (ago > index) return before == nullptr ? 0.0f : before[(last - (ago - index)) * static_cast<int64_t>(channels)];
    const float* from = row - static_cast<int64_t>(ago) * shape.width();
    return from[0] * from[shape.v_column(0)];
  };
  float sum = work.conv_bias == nullptr ? 0.0f : work.conv_bias[channel];
  for (int tap = 0; tap <= last; ++tap) sum = fmaf(work.conv[static_cast<int64_t>(tap) * channels + channel], input(last - tap), sum);
  static_cast<T*>(work.out)[token * stride + channel] = from_float<T>(sum * row[shape.z_column(0)]);
  if (index + 1 != slice.token_count) return;
  float* after = work.states + slice.state_to * work.slot_floats + channel;
  for (int kept = 0; kept < last; ++kept) after[static_cast<int64_t>(kept) * channels] = input(last - 1 - kept);
}

// Grid: x: tokens, y: heads in fours; a warp has one head.
template <typename T>
__global__ void __launch_bounds__(kThreads) gate_kernel(const AttentionGate work, int64_t x_stride) {
  const int64_t token = blockIdx.x;
  const int lane = static_cast<int>(threadIdx.x) % 32, head = static_cast<int>(blockIdx.y) * kWarps + static_cast<int>(threadIdx.x) / 32, dim = work.head_dim;
  if (head >= work.heads) return;
  const int column = (2 * head + 1) * dim;
  T* x = static_cast<T*>(work.x) + token * x_stride + head * dim;
  for (int i = lane; i < dim; i += 32)
    x[i] = from_float<T>(to_float(x[i]) * sigmoid(work.qkv[token * work.stride + column + i] + (work.bias == nullptr ? 0.0f : work.bias[column + i])));
}

dim3 by_heads(int32_t tokens, int32_t heads) { return dim3(static_cast<unsigned>(tokens), static_cast<unsigned>((heads + kWarps - 1) / kWarps)); }

template <bool kCorrects>
void run_matrices(cudaStream_t stream, const StateWork& work) {
  const LinearAttentionShape& shape = work.shape;
  const dim3 grid(static_cast<unsigned>(shape.value_heads * shape.tiles()), static_cast<unsigned>(work.slice_count));
  if (shape.key_dim <= 64) launch(stream, {grid, kThreads}, delta_kernel<64 / kWarps, kCorrects>, work);
  else if (shape.key_dim <= 128) launch(stream, {grid, kThreads}, delta_kernel<128 / kWarps, kCorrects>, work);
  else launch(stream, {grid, kThreads}, delta_kernel<kStateHeadDimMax / kWarps, kCorrects>, work);
}

}  // namespace

void mix_states(cudaStream_t stream, const StateWork& work) {
  if (work.tokens == 0) return;
  const LinearAttentionShape& shape = work.shape;
  const auto tokens = static_cast<unsigned>(work.tokens);
  if (shape.is_conv()) {
    const dim3 grid(tokens, static_cast<unsigned>((shape.values() + kThreads - 1) / kThreads));
    return dispatch(work.type, [&](auto number) { launch(stream, {grid, kThreads}, short_conv_kernel<decltype(number)>, work, padded(shape.values())); });
  }
  launch(stream, {by_heads(work.tokens, 2 * shape.key_heads + shape.value_heads), kThreads}, mix_kernel, work);
  shape.is_mamba() ? run_matrices<false>(stream, work) : run_matrices<true>(stream, work);
  dispatch(work.type, [&](auto number) {
    using T = decltype(number);
    if (shape.is_mamba()) launch(stream, {dim3(tokens, static_cast<unsigned>(shape.key_heads)), kThreads}, skip_and_norm_kernel<T>, work, padded(shape.values()));
    else launch(stream, {by_heads(work.tokens, shape.value_heads), kThreads}, norm_kernel<T>, work, padded(shape.values()));
  });
}

void gate_attention(cudaStream_t stream, const AttentionGate& work) {
  if (work.tokens == 0) return;
  dispatch(work.type, [&](auto number) {
    launch(stream, {by_heads(work.tokens, work.heads), kThreads}, gate_kernel<decltype(number)>, work, padded(work.heads * work.head_dim));
  });
}

}  // namespace sgmv::cuda
