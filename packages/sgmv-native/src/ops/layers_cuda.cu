// Little is computed here and much is read: every kernel loads each number once, 16 bytes a thread, and keeps in registers
// what it needs twice. docs/kernels/layers.md has the counts.
#include "ops/layers_cuda.h"

#include <string>

#include "cuda/e4m3.cuh"
#include "cuda/launch.h"
#include "cuda/numbers.cuh"
#include "cuda/reduce.cuh"
#include "sgmv/error.h"
#include "sgmv/ops.h"

namespace sgmv::cuda {
namespace {

constexpr int kThreads = 256;  // of blocks that have no sum in common
constexpr int kQuad = 4;       // neighbouring columns that a thread computes together
constexpr int kNormThreadsMax = 1024;
constexpr int kNormQuads = 2, kNormQuadsMax = 4;  // that a thread of add_and_norm has; the latter where rows are longest

int ceil_div(int a, int b) { return (a + b - 1) / b; }

bool aligned_16(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

struct e4m3 { uint8_t bits; };

// Four numbers of a row that begins at a multiple of 16 bytes and has zeros behind it.
__device__ __forceinline__ float4 load_quad(const float* row, int column) { return load_float4(row + column); }
template <typename T>
__device__ __forceinline__ float4 load_quad(const T* row, int column) {
  const uint2 v = load8(row + column);
  const float2 low = unpack2<T>(v.x), high = unpack2<T>(v.y);
  return make_float4(low.x, low.y, high.x, high.y);
}
__device__ __forceinline__ float4 load_quad(const e4m3* row, int column) {
  const uint32_t codes = *reinterpret_cast<const uint32_t*>(row + column);
  const float2 low = unpack2<f16>(e4m3_pair<f16>(permute_bytes(codes, 0x1404))), high = unpack2<f16>(e4m3_pair<f16>(permute_bytes(codes, 0x3424)));
  return make_float4(low.x, low.y, high.x, high.y);
}

// Four numbers of a float32 row [width] without padding, zeros beyond its end. kWhole: rows begin at multiples of 16
// bytes and width is a multiple of four.
template <bool kWhole>
__device__ __forceinline__ float4 load_floats(const float* row, int column, int width) {
  if constexpr (kWhole) return load_quad(row, column);
  const auto at = [&](int i) { return column + i < width ? row[column + i] : 0.0f; };
  return make_float4(at(0), at(1), at(2), at(3));
}

template <bool kWhole>
__device__ __forceinline__ void store_floats(float* row, int column, int width, float4 v) {
  if constexpr (kWhole) {
    store_float4(row + column, v);
  } else {
    const float values[kQuad] = {v.x, v.y, v.z, v.w};
    for (int i = 0; i < kQuad; ++i)
      if (column + i < width) row[column + i] = values[i];
  }
}

// Into a padded row, whose padding stays as it is.
template <bool kWhole>
__device__ __forceinline__ void store_numbers(float* row, int column, int width, float4 v) { store_floats<kWhole>(row, column, width, v); }
template <bool kWhole, typename T>
__device__ __forceinline__ void store_numbers(T* row, int column, int width, float4 v) {
  if (kWhole || column + kQuad <= width) {
    store8(row + column, make_uint2(pack2<T>(v.x, v.y), pack2<T>(v.z, v.w)));
  } else {
    const float values[kQuad] = {v.x, v.y, v.z, v.w};
    for (int i = 0; i < kQuad; ++i)
      if (column + i < width) row[column + i] = from_float<T>(values[i]);
  }
}

__device__ __forceinline__ float4 operator+(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }
__device__ __forceinline__ float4 operator*(float4 a, float4 b) { return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w); }
__device__ __forceinline__ float4 operator*(float4 a, float b) { return make_float4(a.x * b, a.y * b, a.z * b, a.w * b); }

// The product of the next 16 bytes of a row of B with as many numbers of v.
template <typename T>
__device__ __forceinline__ float dot_16_bytes(const float* v, const T* row) {
  const uint4 bytes = load16(row);
  if constexpr (sizeof(T) == 4) {
    return v[0] * __uint_as_float(bytes.x) + v[1] * __uint_as_float(bytes.y) + (v[2] * __uint_as_float(bytes.z) + v[3] * __uint_as_float(bytes.w));
  } else {
    const float2 a = unpack2<T>(bytes.x), b = unpack2<T>(bytes.y), c = unpack2<T>(bytes.z), d = unpack2<T>(bytes.w);
    return v[0] * a.x + v[1] * a.y + (v[2] * b.x + v[3] * b.y) + (v[4] * c.x + v[5] * c.y + (v[6] * d.x + v[7] * d.y));
  }
}

// v [rank] times four rows of B from `column` on, of which those beyond `width` repeat the last one. The adapter alone
// decides how B is loaded.
template <typename T>
__device__ __forceinline__ float4 lora_quad(const float* v, const T* b, int rank, int column, int width) {
  constexpr int kNumbers = 16 / sizeof(T);
  const auto row = [&](int i) { return b + int64_t{min(column + i, width - 1)} * rank; };
  const T* rows[kQuad] = {row(0), row(1), row(2), row(3)};
  float4 sum = make_float4(0, 0, 0, 0);
  if (rank % kNumbers == 0 && reinterpret_cast<uintptr_t>(b) % 16 == 0) {
    for (int r = 0; r < rank; r += kNumbers)
      sum = sum + make_float4(dot_16_bytes(v + r, rows[0] + r), dot_16_bytes(v + r, rows[1] + r), dot_16_bytes(v + r, rows[2] + r),
                              dot_16_bytes(v + r, rows[3] + r));
  } else {
    for (int r = 0; r < rank; ++r)
      sum = sum + make_float4(to_float(rows[0][r]), to_float(rows[1][r]), to_float(rows[2][r]), to_float(rows[3][r])) * v[r];
  }
  return sum;
}

// Of `work`, which has token_ids and drawn.
template <typename Work>
__device__ __forceinline__ int32_t token_id(const Work& work, int token) {
  const int32_t id = work.token_ids[token];
  return id < 0 ? max(work.drawn[-1 - id], 0) : id;
}

// Null: the model's.
__device__ __forceinline__ const float* own_row(const OwnRows& own, int32_t token, int width) {
  int begin = 0, end = own.count;
  while (begin < end) {
    const int middle = (begin + end) / 2;
    if (own.tokens[middle] < token) begin = middle + 1;
    else end = middle;
  }
  return begin < own.count && own.tokens[begin] == token ? own.rows + int64_t{begin} * width : nullptr;
}

// Block (row, j): a warp has an own row, then that as many on as there are warps of all j.
template <typename T>
__global__ void __launch_bounds__(kThreads) own_logits_kernel(OwnLogits work, int64_t stride) {
  const LoraEmbeddingFactors* lora = work.lora_of_token[work.tokens[blockIdx.x]];
  if (lora == nullptr) return;
  const OwnRows head = lora->head;
  const T* x = static_cast<const T*>(work.x) + int64_t{blockIdx.x} * stride;
  const int lane = static_cast<int>(threadIdx.x) % kWarpThreads, warps = static_cast<int>(gridDim.y) * kThreads / kWarpThreads;
  for (int i = static_cast<int>(blockIdx.y * kThreads + threadIdx.x) / kWarpThreads; i < head.count; i += warps) {
    const float* row = head.rows + int64_t{i} * work.width;
    float sum = 0;
    for (int k = lane; k < work.width; k += kWarpThreads) sum = fmaf(to_float(x[k]), row[k], sum);
    sum = warp_sum(sum);
    if (lane == 0) work.logits[int64_t{blockIdx.x} * work.vocab + head.tokens[i]] = sum;
  }
}

// Block (token, j): columns j · 4 · kThreads on. Table: the embedding's numbers, T: those of adapters.
template <typename Table, typename T, bool kWhole>
__global__ void __launch_bounds__(kThreads) embed_kernel(Embedding work, int64_t stride) {
  __shared__ float v[kRankMax];  // the token's row of A
  const int token = static_cast<int>(blockIdx.x), width = work.width;
  const int column = static_cast<int>(blockIdx.y * kThreads + threadIdx.x) * kQuad;
  const int32_t id = token_id(work, token);
  const LoraEmbeddingFactors* lora = work.lora_of_token == nullptr ? nullptr : work.lora_of_token[token];
  const float* own = nullptr;
  if (lora != nullptr) {  // the whole block or none of it
    own = own_row(lora->own, id, width);
    const T* a = static_cast<const T*>(lora->a) + int64_t{id} * lora->rank;
    for (int r = static_cast<int>(threadIdx.x); r < lora->rank; r += kThreads) v[r] = to_float(a[r]);
    __syncthreads();
  }
  if (column >= width) return;
  float4 sum = own != nullptr ? load_floats<kWhole>(own, column, width) : load_quad(static_cast<const Table*>(work.table) + id * stride, column);
  if (work.scales != nullptr && own == nullptr) sum = sum * work.scales[id];
  if (lora != nullptr && lora->rank > 0) sum = sum + lora_quad(v, static_cast<const T*>(lora->b), lora->rank, column, width) * lora->scale;
  store_floats<kWhole>(work.out + int64_t{token} * width, column, width, sum * work.scale);
}

// The same number four times, zeros beyond the end of a row.
template <bool kWhole>
__device__ __forceinline__ float4 quad_of(float x, int column, int width) {
  const auto at = [&](int i) { return (kWhole ? column : column + i) < width ? x : 0.0f; };
  return make_float4(at(0), at(1), at(2), at(3));
}

// One block per token; thread t has quads t, t + threads, … of the row in registers from the first load to the last
// store. Norms are asked for before the sums they wait for, where registers suffice: their way is as long as the row's.
// kCentered: `norm` is a layer_norm.
template <typename T, int kQuads, bool kWhole, bool kCentered>
__global__ void __launch_bounds__(kNormThreadsMax) add_and_norm_kernel(AddAndNorm work, int64_t stride) {
  __shared__ float of_warp[kCentered ? 3 : 2][kBlockWarpsMax];
  constexpr bool kEarly = kQuads <= kNormQuads;
  const int64_t token = blockIdx.x;
  const int width = work.width;
  const auto column_of = [](int j) { return (j * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x)) * kQuad; };
  const auto load = [&](const float* from, int j) {
    return column_of(j) < width ? load_floats<kWhole>(from, column_of(j), width) : make_float4(0, 0, 0, 0);
  };
  // row[j] := norm · row[j] / √(mean of squares + eps)
  const auto normalize = [&](float4 (&row)[kQuads], const float* norm, float* sums) {
    float4 early[kQuads];
    for (int j = 0; j < kQuads && kEarly; ++j) early[j] = load(norm, j);
    float sum = 0;
    for (const float4 v : row) sum += v.x * v.x + v.y * v.y + (v.z * v.z + v.w * v.w);
    const float factor = 1.0f / sqrtf(block_sum(sum, sums) / static_cast<float>(width) + work.eps);
    for (int j = 0; j < kQuads; ++j) row[j] = (kEarly ? early[j] : load(norm, j)) * (row[j] * factor);
  };
  float* residual = work.residual + token * width;
  float4 row[kQuads];
  for (int j = 0; j < kQuads; ++j) row[j] = load(residual, j);
  if (work.beside != nullptr)  // before there is another row in registers
    for (int j = 0; j < kQuads; ++j) row[j] = row[j] + load(work.beside + token * width, j);
  if (work.beside_bias != nullptr)
    for (int j = 0; j < kQuads; ++j) row[j] = row[j] + load(work.beside_bias, j);
  if (work.delta != nullptr) {
    float4 delta[kQuads];
    for (int j = 0; j < kQuads; ++j) delta[j] = load(work.delta + token * width, j);
    if (work.delta_bias != nullptr)
      for (int j = 0; j < kQuads; ++j) delta[j] = delta[j] + load(work.delta_bias, j);
    if (work.post_norm != nullptr) normalize(delta, work.post_norm, of_warp[0]);
    for (int j = 0; j < kQuads; ++j) {
      row[j] = (row[j] + delta[j]) * work.scale;
      if (column_of(j) < width) store_floats<kWhole>(residual, column_of(j), width, row[j]);
    }
  }
  if constexpr (kCentered) {
    float sum = 0;
    for (const float4 v : row) sum += v.x + v.y + (v.z + v.w);
    const float mean = block_sum(sum, of_warp[2]) / static_cast<float>(width);
    for (int j = 0; j < kQuads; ++j) row[j] = row[j] + quad_of<kWhole>(-mean, column_of(j), width);
  }
  if (work.norm != nullptr) normalize(row, work.norm, of_warp[1]);
  if constexpr (kCentered)
    for (int j = 0; j < kQuads; ++j) row[j] = row[j] + load(work.norm_bias, j);
  T* normed = static_cast<T*>(work.normed) + token * stride;
  for (int j = 0; j < kQuads; ++j)
    if (column_of(j) < width) store_numbers<kWhole>(normed, column_of(j), width, row[j]);
  if (work.exact == nullptr) return;
  float* exact = work.exact + int64_t{blockIdx.x} * stride;
  const int first = thread_index();  // what is computed from it was not kept: registers do not suffice where a thread has four quads
  for (int j = 0; j < kQuads; ++j)
    if (const int column = (j * static_cast<int>(blockDim.x) + first) * kQuad; column < width) store_floats<kWhole>(exact, column, width, row[j]);
}

// One block per token.
__global__ void __launch_bounds__(kThreads) add_normed_kernel(AddNormed work) {
  __shared__ float of_warp[2][kBlockWarpsMax];
  const int first = static_cast<int>(threadIdx.x), width = work.width;
  const float* x = work.x + int64_t{blockIdx.x} * width;
  float* y = work.y + int64_t{blockIdx.x} * width;
  float of_x = 0, of_y = 0;
  for (int i = first; i < width; i += kThreads) {
    of_x = fmaf(x[i], x[i], of_x);
    of_y = fmaf(y[i], y[i], of_y);
  }
  const float x_factor = 1.0f / sqrtf(block_sum(of_x, of_warp[0]) / static_cast<float>(width) + work.eps);
  const float y_factor = 1.0f / sqrtf(block_sum(of_y, of_warp[1]) / static_cast<float>(width) + work.eps);
  for (int i = first; i < width; i += kThreads) y[i] = work.y_norm[i] * (y[i] * y_factor) + work.x_norm[i] * (x[i] * x_factor);
}

// Block (token, part): 0 are queries, 1 keys, 2 values, of which there are blocks only if there is a bias.
__global__ void __launch_bounds__(kThreads) norm_queries_and_keys_kernel(NormQueriesAndKeys work) {
  __shared__ float of_warp[kBlockWarpsMax];
  const int part = static_cast<int>(blockIdx.y), first = static_cast<int>(threadIdx.x);
  const int width = part == 0 ? work.q_width : work.kv_width, begin = part == 0 ? 0 : work.q_width + (part - 1) * work.kv_width;
  const float* norm = part == 0 ? work.q_norm : work.k_norm;
  float* row = work.qkv + int64_t{blockIdx.x} * (work.q_width + 2 * work.kv_width) + begin;
  float sum = 0;
  for (int i = first; i < width; i += kThreads) {
    if (work.bias != nullptr) row[i] += work.bias[begin + i];
    sum = fmaf(row[i], row[i], sum);
  }
  if (part == 2) return;  // the whole block
  const float factor = 1.0f / sqrtf(block_sum(sum, of_warp) / static_cast<float>(width) + work.eps);
  for (int i = first; i < width; i += kThreads) row[i] = norm[i] * (row[i] * factor);
}

// Exponents are cut where the CPU's are, so that an infinite gate stays infinite.
__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x > 88.0f ? 88.0f : -x)); }

// Comparisons that NaN does not pass: it stays.
template <Activation kActivation>
__device__ __forceinline__ float activate(float x, [[maybe_unused]] const GatedActivation& work) {
  if constexpr (kActivation == Activation::silu) return x * sigmoid(x);
  if constexpr (kActivation == Activation::relu2) return x < 0.0f ? 0.0f : x * x;
  if constexpr (kActivation == Activation::xielu) return (x > 0.0f ? work.xielu.positive * x * x : work.xielu.negative * (expm1f(x) - x)) + work.xielu.beta * x;
  if constexpr (kActivation == Activation::clamped_silu) {
    const float gate = x > work.limit ? work.limit : x;
    return gate * sigmoid(gate * work.sharpness);
  }
  // x/2 · (1 + tanh u) = x · sigmoid(2u) with u = √(2/π) · (x + 0.044715 x³).
  return x * sigmoid(x * (x * x * (1.5957691216f * 0.044715f) + 1.5957691216f));
}

template <Activation kActivation>
__device__ __forceinline__ float gated(float x, [[maybe_unused]] const GatedActivation& work) {
  if constexpr (kActivation == Activation::clamped_silu) return (x > work.limit ? work.limit : x < -work.limit ? -work.limit : x) + 1.0f;
  return x;
}

// Block (token, j): columns j · 4 · kThreads on.
template <typename T, Activation kActivation, bool kGated, bool kWhole>
__global__ void __launch_bounds__(kThreads) gated_activation_kernel(GatedActivation work, int64_t stride) {
  const int64_t token = blockIdx.x;
  const int width = work.width, column = static_cast<int>(blockIdx.y * kThreads + threadIdx.x) * kQuad;
  if (column >= width) return;
  const bool apart = work.up != nullptr;
  const float* row = work.gate_up + token * (kGated && !apart ? 2 : 1) * width;
  const float* bias = work.bias == nullptr || work.bias_of_row == nullptr ? work.bias : work.bias + int64_t{work.bias_of_row[token]} * 2 * width;
  const float of_row = work.row_scales == nullptr ? 1.0f : work.row_scales[token];
  const float4 scale = make_float4(of_row, of_row, of_row, of_row);
  const auto quad_from = [&](int begin) {
    const float4 v = load_floats<kWhole>(row + begin, column, width) * scale;
    return bias == nullptr ? v : v + load_floats<kWhole>(bias + begin, column, width);
  };
  const auto active = [&](float x) { return activate<kActivation>(x * work.gate_scale, work) * work.scale; };
  const auto other = [&](float x) { return gated<kActivation>(x, work); };
  const float4 gate = quad_from(0);
  float4 product = make_float4(active(gate.x), active(gate.y), active(gate.z), active(gate.w));
  if constexpr (kGated) {
    const float4 up = apart ? load_floats<kWhole>(work.up + token * work.up_stride, column, width) : quad_from(width);
    product = product * make_float4(other(up.x), other(up.y), other(up.z), other(up.w));
  }
  store_numbers<kWhole>(static_cast<T*>(work.out) + token * stride, column, width, product);
}

// Block (token, j): a warp has the numbers of layer j · kThreads / 32 + its own number.
template <typename T>
__global__ void __launch_bounds__(kThreads) per_token_kernel(PerTokenRows work, int64_t stride) {
  const int token = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  const int layer = static_cast<int>(blockIdx.y * kThreads + threadIdx.x) / kWarpThreads;
  if (layer >= work.layers) return;  // the whole warp
  float* row = work.rows + (int64_t{token} * work.layers + layer) * work.size;
  const T* embedded = static_cast<const T*>(work.table) + token_id(work, token) * stride + int64_t{layer} * work.size;
  float squares = 0;
  for (int i = lane; i < work.size; i += kWarpThreads) {
    const float x = row[i] * work.projection_scale;
    squares = fmaf(x, x, squares);
  }
  const float factor = work.projection_scale / sqrtf(warp_sum(squares) / static_cast<float>(work.size) + work.eps);
  for (int i = lane; i < work.size; i += kWarpThreads) row[i] = (row[i] * factor * work.norm[i] + to_float(embedded[i]) * work.embedding_scale) * 0.70710678f;
}

// Block (i, j): vectors j · kThreads on of row i.
__global__ void __launch_bounds__(kThreads) gather_kernel(const uint4* in, const int32_t* rows, int vectors, uint4* out) {
  const int vector = static_cast<int>(blockIdx.y * kThreads + threadIdx.x);
  if (vector < vectors) store16(out + int64_t{blockIdx.x} * vectors + vector, load16_once(in + int64_t{rows[blockIdx.x]} * vectors + vector));
}

// Block (row, j): columns j · 4 · kThreads on.
template <bool kWhole>
__global__ void __launch_bounds__(kThreads) add_bias_kernel(const float* bias, int width, float* x) {
  const int column = static_cast<int>(blockIdx.y * kThreads + threadIdx.x) * kQuad;
  if (column >= width) return;
  float* row = x + int64_t{blockIdx.x} * width;
  store_floats<kWhole>(row, column, width, load_floats<kWhole>(row, column, width) + load_floats<kWhole>(bias, column, width));
}

template <bool kWhole>
__global__ void __launch_bounds__(kThreads) softcap_kernel(float* logits, int64_t count, float cap) {
  const int64_t begin = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kQuad;
  if (begin >= count) return;
  float* quad = logits + begin;
  const int width = count - begin < kQuad ? static_cast<int>(count - begin) : kQuad;
  const auto capped = [cap](float x) { return cap * tanhf(x / cap); };
  const float4 v = width == kQuad ? load_floats<kWhole>(quad, 0, width) : load_floats<false>(quad, 0, width);
  const float4 result = make_float4(capped(v.x), capped(v.y), capped(v.z), capped(v.w));
  if (width == kQuad) store_floats<kWhole>(quad, 0, width, result);
  else store_floats<false>(quad, 0, width, result);
}

dim3 by_columns(int rows, int width) { return dim3(static_cast<unsigned>(rows), static_cast<unsigned>(ceil_div(width, kThreads * kQuad))); }

// Calls visit(std::true_type) or visit(std::false_type).
template <typename Visit>
void dispatch_flag(bool flag, Visit visit) {
  if (flag) visit(std::true_type{});
  else visit(std::false_type{});
}

}  // namespace

void write_own_logits(cudaStream_t stream, const OwnLogits& work) {
  constexpr unsigned kBlocksEach = 4;
  if (work.rows == 0) return;
  dispatch(work.type, [&](auto number) {
    launch(stream, Shape{dim3(static_cast<unsigned>(work.rows), kBlocksEach), kThreads}, own_logits_kernel<decltype(number)>, work, padded(work.width));
  });
}

void embed(cudaStream_t stream, const Embedding& work) {
  if (work.tokens == 0) return;
  const Shape shape{by_columns(work.tokens, work.width), kThreads};
  dispatch(work.type, [&](auto number) {
    using T = decltype(number);
    dispatch_flag(work.width % kQuad == 0 && aligned_16(work.out), [&](auto whole) {
      if (work.scales != nullptr) launch(stream, shape, embed_kernel<e4m3, T, whole()>, work, padded(work.width));
      else launch(stream, shape, embed_kernel<T, T, whole()>, work, padded(work.width));
    });
  });
}

void add_and_norm(cudaStream_t stream, const AddAndNorm& work) {
  if (work.tokens == 0) return;
  const int quads = ceil_div(work.width, kQuad);
  if (quads > kNormQuadsMax * kNormThreadsMax)
    throw Error("bad_argument", "add_and_norm: found rows of " + std::to_string(work.width) + " numbers; expected at most " + std::to_string(kNormWidthMax));
  const int threads = min(kNormThreadsMax, ceil_div(ceil_div(quads, kNormQuads), kWarpThreads) * kWarpThreads);
  const Shape shape{dim3(static_cast<unsigned>(work.tokens)), threads};
  const bool whole = work.width % kQuad == 0 && aligned_16(work.residual) && aligned_16(work.delta) && aligned_16(work.delta_bias) &&
                     aligned_16(work.post_norm) && aligned_16(work.norm) && aligned_16(work.norm_bias) && aligned_16(work.beside) && aligned_16(work.beside_bias);
  dispatch(work.type, [&](auto number) {
    using T = decltype(number);
    dispatch_flag(whole, [&](auto whole_rows) {
      dispatch_flag(work.norm_bias != nullptr, [&](auto centered) {
        if (quads <= kNormQuads * threads) launch(stream, shape, add_and_norm_kernel<T, kNormQuads, whole_rows(), centered()>, work, padded(work.width));
        // Reading single numbers, a thread would not have registers enough for so long a row.
        else if constexpr (whole_rows()) launch(stream, shape, add_and_norm_kernel<T, kNormQuadsMax, true, centered()>, work, padded(work.width));
        else throw Error("bad_argument", "add_and_norm: found rows of " + std::to_string(work.width) + " numbers; expected a multiple of 4 above 8192, 16-byte aligned");
      });
    });
  });
}

void norm_queries_and_keys(cudaStream_t stream, const NormQueriesAndKeys& work) {
  if (work.tokens == 0) return;
  const Shape shape{dim3(static_cast<unsigned>(work.tokens), work.bias == nullptr ? 2u : 3u), kThreads};
  launch(stream, shape, norm_queries_and_keys_kernel, work);
}

void add_normed(cudaStream_t stream, const AddNormed& work) {
  if (work.tokens == 0) return;
  launch(stream, {dim3(static_cast<unsigned>(work.tokens)), kThreads}, add_normed_kernel, work);
}

void gated_activation(cudaStream_t stream, const GatedActivation& work) {
  if (work.tokens == 0) return;
  const Shape shape{by_columns(work.tokens, work.width), kThreads};
  dispatch(work.type, [&](auto number) {
    using T = decltype(number);
    dispatch_flag(work.width % kQuad == 0 && aligned_16(work.gate_up) && aligned_16(work.bias) && aligned_16(work.up) && work.up_stride % kQuad == 0, [&](auto whole) {
      const auto run = [&](auto kernel) { launch(stream, shape, kernel, work, padded(work.width)); };
      switch (work.activation) {
        case Activation::silu: return run(gated_activation_kernel<T, Activation::silu, true, whole()>);
        case Activation::gelu_tanh: return run(work.gated ? gated_activation_kernel<T, Activation::gelu_tanh, true, whole()> : gated_activation_kernel<T, Activation::gelu_tanh, false, whole()>);
        case Activation::relu2: return run(gated_activation_kernel<T, Activation::relu2, false, whole()>);
        case Activation::xielu: return run(gated_activation_kernel<T, Activation::xielu, false, whole()>);
        case Activation::clamped_silu: return run(gated_activation_kernel<T, Activation::clamped_silu, true, whole()>);
      }
    });
  });
}

void mix_per_token_rows(cudaStream_t stream, const PerTokenRows& work) {
  if (work.tokens == 0) return;
  const Shape shape{dim3(static_cast<unsigned>(work.tokens), static_cast<unsigned>(ceil_div(work.layers, kThreads / kWarpThreads))), kThreads};
  dispatch(work.type, [&](auto number) { launch(stream, shape, per_token_kernel<decltype(number)>, work, padded(int64_t{work.layers} * work.size)); });
}

void gather_rows(cudaStream_t stream, Number type, const void* in, const int32_t* rows, int32_t count, int32_t width, void* out) {
  if (count == 0) return;
  const auto vectors = static_cast<int>(padded(width) * static_cast<int64_t>(number_bytes(type)) / 16);
  const Shape shape{dim3(static_cast<unsigned>(count), static_cast<unsigned>(ceil_div(vectors, kThreads))), kThreads};
  launch(stream, shape, gather_kernel, static_cast<const uint4*>(in), rows, vectors, static_cast<uint4*>(out));
}

void add_bias(cudaStream_t stream, const float* bias, int32_t rows, int32_t width, float* x) {
  if (rows == 0) return;
  dispatch_flag(width % kQuad == 0 && aligned_16(bias) && aligned_16(x), [&](auto whole) { launch(stream, {by_columns(rows, width), kThreads}, add_bias_kernel<whole()>, bias, width, x); });
}

void softcap_logits(cudaStream_t stream, float* logits, int64_t count, float cap) {
  if (count == 0) return;
  const int64_t blocks = (count + kThreads * kQuad - 1) / (kThreads * kQuad);
  const Shape shape{dim3(static_cast<unsigned>(blocks)), kThreads};
  dispatch_flag(aligned_16(logits), [&](auto whole) { launch(stream, shape, softcap_kernel<whole()>, logits, count, cap); });
}

}  // namespace sgmv::cuda
