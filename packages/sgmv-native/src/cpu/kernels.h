// The innermost loops, one table per instruction set. Plain pointers, single-threaded, no checks: ops/ checks and
// divides the work.
//
// The rule behind every kernel: an output element is accumulated in an order that depends on nothing but its own
// inputs. How many rows share a call, which tile a column falls into and which thread runs it change only which
// elements are computed side by side. So a request gives the same bits alone and in any batch. Different instruction
// sets may differ from each other.
//
// Functions here are always inlined: a copy compiled for one instruction set must not be linked into code for others.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sgmv/number_types.h"

namespace sgmv {

inline constexpr int kPanelColumns = 32;   // output columns of a packed weight panel
inline constexpr int kQuantBlock = 32;     // inputs that share a scale
inline constexpr int kRowPad = 64;         // encoded rows and A's rows are padded to this many inputs
inline constexpr int kQuad = 4;            // inputs that lie side by side in an 8-bit panel: one integer dot product

// Packed quantized blocks hold kQuantBlock inputs × kPanelColumns columns: half-precision scales (and minimums) of
// the columns, then the numbers in quads [inputs / 4][columns][4]. A number is unsigned: an 8-bit one is kept plus
// kQ8Zero. Two 4-bit numbers share a byte: input i in the low half, i + 16 in the high one. The last block of a panel
// ends with its last quad.
inline constexpr int kQ8Zero = 128;
inline constexpr int64_t kQuadBytes = kPanelColumns * kQuad;
inline constexpr int64_t kScaleBytes = kPanelColumns * 2;
inline constexpr int64_t kQ8BlockBytes = kScaleBytes + kPanelColumns * kQuantBlock;
inline constexpr int64_t kQ4BlockBytes = kScaleBytes * 2 + kPanelColumns * kQuantBlock / 2;

// kRowPad inputs of one row of activations in 8 bits: x ≈ scale · value in groups of kQuantBlock, each with what the sum of
// its values is needed for, ready to be broadcast. Two cache lines of its own, so that rows can be encoded by different threads.
struct alignas(64) Int8Chunk {
  int8_t values[kRowPad];
  float scales[kRowPad / kQuantBlock];
  int32_t begins[kRowPad / kQuantBlock];  // -kQ8Zero · the sum of values: takes kQ8Zero off the weights
  float offsets[kRowPad / kQuantBlock];   // scale · the sum of values: what a minimum is multiplied with
};

// Rows of activations in 8 bits, [chunks][rows]: the same inputs of neighbouring rows lie together, so that one pointer
// reaches a tile of rows. Chunk c of row r is chunks[c · stride + r]. Values beyond a row's width are zero.
struct Int8Rows {
  const Int8Chunk* chunks = nullptr;
  int64_t stride = 0;

  [[gnu::always_inline]] Int8Rows from(int64_t row) const { return {chunks + row, stride}; }
  [[gnu::always_inline]] Int8Rows from_input(int64_t k) const { return {chunks + k / kRowPad * stride, stride}; }
};

// Memory to be asked for during a product: `lines_per_group` cache lines for every group of inputs of every tile.
struct PrefetchRange {
  const std::byte* begin;
  const std::byte* end;
};
struct PrefetchCursor {
  const PrefetchRange* range = nullptr;
  const PrefetchRange* last = nullptr;
  const std::byte* at = nullptr;
  int64_t lines_per_group = 0;

  [[gnu::always_inline]] void advance() {
    for (int64_t i = 0; i < lines_per_group && range != last; ++i) {
      __builtin_prefetch(at, 0, 2);
      at += 64;
      if (at >= range->end && ++range != last) at = range->begin;
    }
  }
};

// Rows per tile of at most `most`: tiles are made even, so that no small one is left over.
[[gnu::always_inline]] inline int64_t even_share(int64_t rows, int64_t most) {
  if (rows <= most) return rows;
  const int64_t tiles = (rows + most - 1) / most;
  return (rows + tiles - 1) / tiles;
}

// How a product ends: c := sum, or c := c + scale · sum.
struct Epilogue {
  bool add = false;
  float scale = 1.0f;
};

inline constexpr float kNoSink = -__builtin_inff();

// kStateTile columns of a head's state of linear attention, over the tokens of a slice: rows of q, k, v and out are `stride` and
// `out_stride` floats apart, decays and betas `gate_stride`. `from`: the state before, [key_dim, kStateTile]; null: zeros. `to` is what it
// becomes and may not overlap.
inline constexpr int kStateTile = 32;
struct DeltaTile {
  const float *q, *k, *v;
  int64_t stride;
  const float *decay, *beta;
  int64_t gate_stride;
  float* out;
  int64_t out_stride, tokens, key_dim, columns;  // columns of the tile that are used
  const float* from;
  float* to;
  bool corrects;  // otherwise what the state knows of k is not taken off v
};

struct Kernels {
  const char* isa;
  int gemm_rows, i8_rows, bf16_rows;  // rows the GEMM kernels take best at once

  // Products give c [rows, 32], without room between the rows. Here c = (or +=, when `add`) x [rows, k] · panel [k, 32];
  // rows ≤ gemm_rows.
  void (*gemm)(const float* x, int64_t x_stride, const float* panel, int64_t k, float* c, int rows, bool add);

  // Packed weights to float32, exactly. `out` is [k, 32].
  void (*widen_bf16)(const uint16_t* pairs, int64_t k, float* out);
  void (*widen_f16)(const uint16_t* in, int64_t count, float* out);
  void (*unpack_q8)(const std::byte* blocks, int64_t k, float* out);
  void (*unpack_q4)(const std::byte* blocks, int64_t k, float* out);

  // A row of activations in another form. NaN and infinity make the scale NaN, so that they are not lost.
  void (*encode_i8)(const float* x, int64_t n, Int8Chunk* chunks, int64_t stride);
  void (*encode_bf16)(const float* x, int64_t n, uint16_t* out);

  // c = (or +=) x · an 8-bit panel of `in` inputs, or a 4-bit one with minimums (`nibbles`); rows ≤ i8_rows.
  void (*gemm_i8)(const Int8Rows& x, int64_t rows, const std::byte* panel, int64_t in, bool nibbles, float* c, bool add,
                  PrefetchCursor& ahead);
  // c from bfloat16 activations and a panel of pairs [in / 2][32][2], accumulated in float32.
  void (*gemm_bf16)(const uint16_t* x, int64_t x_stride, int64_t rows, const uint16_t* panel, int64_t in, float* c,
                    const Epilogue& end);

  // v [tokens, rank] = x [tokens, in] · A^T; A [rank, a_stride], padded with zeros.
  void (*shrink)(const float* x, int64_t x_stride, int64_t tokens, const void* a, int64_t a_stride, LoraType type,
                 int64_t rank, int64_t in, float* v, int64_t v_stride);
  // The same with A in 8 bits plus kQ8Zero, one scale per rank, and with both in bfloat16.
  void (*shrink_i8)(const Int8Rows& x, int64_t tokens, const uint8_t* a, int64_t a_stride, const float* a_scales,
                    int64_t rank, int64_t in, float* v, int64_t v_stride);
  void (*shrink_bf16)(const uint16_t* x, int64_t x_stride, int64_t tokens, const uint16_t* a, int64_t a_stride,
                      int64_t rank, int64_t in, float* v, int64_t v_stride);
  // y [tokens, 32] += scale · v [tokens, rank] · panel in 8 bits.
  void (*expand_i8)(const Int8Rows& v, int64_t tokens, const std::byte* panel, int64_t rank, float scale, float* y);
  // y [tokens, 32] += scale · v [tokens, rank] · panel [rank, 32] (bfloat16: [rank / 2][32][2]).
  void (*expand)(const float* v, int64_t v_stride, int64_t tokens, const void* panel, LoraType type, int64_t rank,
                 float scale, float* y);

  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* out);
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps, int64_t n, float* out);  // bias: null: none
  void (*add)(float* y, const float* x, int64_t n);
  void (*swiglu)(const float* gate, const float* up, int64_t n, float* out);  // silu(gate) · up
  void (*geglu)(const float* gate, const float* up, int64_t n, float* out);   // gelu(gate) · up, gelu by its tanh formula
  void (*gelu)(const float* x, int64_t n, float* out);                        // the same without up
  void (*relu2)(const float* x, int64_t n, float* out);                       // max(x, 0)²
  void (*clamped_swiglu)(const float* gate, const float* up, int64_t n, float sharpness, float limit, float* out);  // Activation::clamped_silu
  void (*xielu)(const float* x, int64_t n, float positive, float negative, float beta, float* out);
  void (*rope)(float* x, const float* cosines, const float* sines, int64_t half);              // pairs (i, i + half)
  void (*rope_interleaved)(float* x, const float* cosines, const float* sines, int64_t half);  // pairs (2i, 2i + 1)

  // out := bias + Σ taps[t] · weights[t], then its silu if `activates`. weights[t] is `stride` behind weights[t - 1]; a tap that is null
  // is zeros, and so is a null bias.
  void (*causal_conv)(const float* const* taps, int count, const float* weights, const float* bias, int64_t stride, int64_t n, bool activates, float* out);
  void (*l2_norm)(float* x, float eps, float scale, int64_t n);  // x · scale / √(Σ x² + eps)
  // For each token: state := decay · state + k ⊗ beta · (v - decay · stateᵀ k), or without the last term; out := stateᵀ q.
  void (*delta_rule)(const DeltaTile& tile);
  void (*sigmoid_gate)(const float* gate, float* x, int64_t n);  // x := x · sigmoid(gate)

  // scores [rows, lanes] = q [rows, dim] · keys [dim, lanes]; lanes is a multiple of 16.
  void (*attention_scores)(const float* q, int64_t q_stride, int rows, const void* keys, KvType type, int64_t dim,
                           int64_t lanes, float* scores, int64_t scores_stride);
  // The same with keys [positions, dim]: scores [rows, positions].
  void (*attention_dots)(const float* q, int64_t q_stride, int rows, const void* keys, KvType type, int64_t dim, int64_t positions,
                         float* scores, int64_t scores_stride);
  // scores := exp(scores - max); returns their sum. `sink`: a score more, of which nothing else is wanted, or kNoSink.
  float (*softmax_numerators)(float* scores, int64_t n, float sink);
  // out [rows, dim] += weights [rows, positions] · values [positions, dim], a position's `values_stride` numbers behind the one before.
  void (*attention_values)(const float* weights, int64_t weights_stride, int rows, const void* values, KvType type,
                           int64_t values_stride, int64_t positions, int64_t dim, float* out, int64_t out_stride);
  void (*scale)(float* x, float factor, int64_t n);
  void (*softcap)(float* x, float cap, int64_t n);               // x := cap · tanh(x / cap)
  void (*narrow_f16)(const float* x, int64_t n, uint16_t* out);  // nearest; beyond the range: the largest number
};

// Null when this binary was not built for that instruction set.
const Kernels* kernels_avx512_bf16();  // AVX-512 with VNNI and BF16
const Kernels* kernels_avx512_vnni();
const Kernels* kernels_avx512();
const Kernels* kernels_avx2();
const Kernels* kernels_neon();
const Kernels* kernels_portable();

}  // namespace sgmv
