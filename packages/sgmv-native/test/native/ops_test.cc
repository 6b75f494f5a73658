// Base GEMM over every stored form, the small kernels, and the thread pool.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <numbers>
#include <random>
#include <tuple>

#include "check.h"
#include "cpu/cpu_device.h"
#include "cpu/select_kernels.h"
#include "ops/gemm_cpu.h"

namespace sgmv::test {
namespace {

// Random stored weights of a type, with moderate scales.
std::vector<std::byte> stored_weights(DType dtype, int64_t count, std::mt19937& generator) {
  std::vector<std::byte> data(static_cast<size_t>(count / dtype_block(dtype) * dtype_block_bytes(dtype)));
  for (auto& byte : data) byte = static_cast<std::byte>(generator());
  const auto halves = [&](size_t at) { data[at + 1] = (data[at + 1] & std::byte{0x83}) | std::byte{0x30}; };
  const auto stride = static_cast<size_t>(dtype_block_bytes(dtype));
  if (dtype == DType::f32) {
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < count; ++i) {
      const float value = normal(generator);
      std::memcpy(data.data() + i * 4, &value, 4);
    }
    return data;
  }
  for (size_t at = 0; at < data.size(); at += stride) {
    if (dtype == DType::bf16) data[at + 1] = (data[at + 1] & std::byte{0x80}) | std::byte{0x3F};
    else if (dtype == DType::q6_k) halves(at + 208);
    else halves(at);
    if (dtype == DType::q4_1 || dtype == DType::q5_1 || dtype == DType::q4_k || dtype == DType::q5_k) halves(at + 2);
  }
  return data;
}

// The row as the product takes it, by the definition of the type.
std::vector<double> encoded(const float* x, int64_t n, WeightType type) {
  std::vector<double> values(x, x + n);
  for (int64_t k = 0; k < n; ++k) {
    if (type == WeightType::bf16) values[static_cast<size_t>(k)] = bf16_to_float(float_to_bf16(x[k]));
    if (type != WeightType::i8) continue;
    float largest = 0;
    for (int64_t i = k / 32 * 32; i < std::min(n, k / 32 * 32 + 32); ++i) largest = std::max(largest, std::abs(x[i]));
    const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    values[static_cast<size_t>(k)] = double(largest / 127.0f) * std::nearbyint(x[k] * inverse);
  }
  return values;
}

// How far a kept weight may be from the stored one.
double allowed_loss(const float* row, int64_t k, int64_t in, PackedMatrix::Storage storage, DType dtype, WeightType type) {
  if (type == WeightType::bf16) return std::abs(row[k]) * 0x1p-8;
  if (storage != PackedMatrix::Storage::q8 || dtype == DType::q8_0) return 0;
  float largest = 0;
  for (int64_t i = k / 32 * 32; i < std::min(in, k / 32 * 32 + 32); ++i) largest = std::max(largest, std::abs(row[i]));
  return largest / 127.0 * 0.57;  // half a step, and what rounding the scale to half precision adds
}

Activations random_rows(const Kernels& kernels, int64_t rows, int64_t width, ActivationForms forms, std::mt19937& generator) {
  std::normal_distribution<float> normal;
  Activations x;
  x.reserve(rows, width, forms);
  for (int64_t m = 0; m < rows; ++m) {
    std::generate_n(x.row(m), width, [&] { return normal(generator); });
    x.encode(kernels, m);
  }
  return x;
}

void check_gemm(CpuDevice& device, WeightType type, DType dtype, int64_t rows, int64_t out, int64_t in, bool with_bias) {
  std::mt19937 generator(static_cast<uint32_t>(rows * 31 + out * 7 + in));
  const std::vector<std::byte> stored = stored_weights(dtype, out * in, generator);
  std::vector<float> exact(static_cast<size_t>(out * in)), kept(exact.size());
  dequantize(dtype, stored.data(), out * in, exact.data());
  PackedMatrix weights(PackedMatrix::storage_for(std::span(&dtype, 1), in, type), type, out, in);
  weights.set_rows(0, out, dtype, stored.data());
  for (int64_t n = 0; n < out; ++n) {
    weights.copy_row(n, kept.data() + n * in);
    for (int64_t k = 0; k < in; ++k) {
      const double loss = allowed_loss(exact.data() + n * in, k, in, weights.storage(), dtype, type);
      const float found = kept[static_cast<size_t>(n * in + k)], expected = exact[static_cast<size_t>(n * in + k)];
      CHECK(std::abs(double(found) - expected) <= loss, dtype_name(dtype), ": kept ", found, " of ", expected, ", may lose ", loss);
    }
  }
  std::normal_distribution<float> normal;
  const Activations x = random_rows(device.kernels(), rows, in, forms_for(weights), generator);
  std::vector<float> bias(static_cast<size_t>(out));
  for (float& value : bias) value = normal(generator);
  const int64_t stride = out + 9;
  std::vector<float> y(static_cast<size_t>(rows * stride), 1e30f);
  gemm(device, {&x, rows, &weights, with_bias ? bias.data() : nullptr, y.data(), stride});
  for (int64_t m = 0; m < rows; ++m) {
    const std::vector<double> row = encoded(x.row(m), in, type);
    for (int64_t n = 0; n < stride; ++n) {
      const float found = y[static_cast<size_t>(m * stride + n)];
      if (n >= out) {
        CHECK(found == 1e30f, "wrote past the last column");
        continue;
      }
      double sum = with_bias ? bias[static_cast<size_t>(n)] : 0, size = 1e-3;
      for (int64_t k = 0; k < in; ++k) {
        const double product = row[static_cast<size_t>(k)] * kept[static_cast<size_t>(n * in + k)];
        sum += product;
        size += std::abs(product);
      }
      CHECK(std::abs(found - sum) <= 3e-6 * size, device.name(), " ", static_cast<int>(type), " ", dtype_name(dtype), " ", rows, "x", out, "x", in, ": ", found, " expected ", sum);
    }
  }
}

// Linear attention by its formula, in float64.
TEST("delta rule: every instruction set, any width, in one go and token by token") {
  std::mt19937 generator(31);
  std::normal_distribution<float> normal;
  for (const auto& [key_dim, columns, tokens] : std::initializer_list<std::tuple<int64_t, int64_t, int64_t>>{{1, 1, 3}, {6, 10, 5}, {128, 32, 9}, {33, 17, 4}, {64, 8, 1}}) {
    const auto random = [&](int64_t count) {
      std::vector<float> values(static_cast<size_t>(count));
      for (float& value : values) value = 0.3f * normal(generator);
      return values;
    };
    const int64_t stride = 2 * key_dim + columns + 3, gate_stride = 2, state = key_dim * kStateTile;
    const std::vector<float> rows = random(tokens * stride), before = random(state);
    std::vector<float> decay(static_cast<size_t>(tokens * gate_stride)), beta(decay.size());
    for (float& value : decay) value = std::uniform_real_distribution<float>(0.1f, 1.0f)(generator);
    for (float& value : beta) value = std::uniform_real_distribution<float>(0.0f, 1.0f)(generator);
    for (const auto& [first, corrects] : std::initializer_list<std::pair<bool, bool>>{{true, true}, {false, true}, {true, false}, {false, false}}) {
      std::vector<double> s(static_cast<size_t>(key_dim * columns)), expected;
      for (int64_t i = 0; !first && i < key_dim * columns; ++i) s[static_cast<size_t>(i)] = before[static_cast<size_t>(i / columns * kStateTile + i % columns)];
      for (int64_t t = 0; t < tokens; ++t)
        for (int64_t c = 0; c < columns; ++c) {
          const float *q = rows.data() + t * stride, *k = q + key_dim, *v = k + key_dim;
          double known = 0, out = 0;
          const auto at = [&](int64_t i) -> double& { return s[static_cast<size_t>(i * columns + c)]; };
          for (int64_t i = 0; i < key_dim; ++i) known += (at(i) *= decay[static_cast<size_t>(t * gate_stride)]) * k[i];
          for (int64_t i = 0; i < key_dim; ++i) out += (at(i) += k[i] * (v[c] - (corrects ? known : 0.0)) * beta[static_cast<size_t>(t * gate_stride)]) * q[i];
          expected.push_back(out);
        }
      for (const std::string& isa : available_isas()) {
        const Kernels& kernels = select_kernels(isa);
        std::vector<float> out(static_cast<size_t>(tokens * kStateTile), NAN), after(static_cast<size_t>(state), NAN), alone = out, turns[2] = {after, after};
        const auto tile = [&](int64_t token, int64_t count, const float* from, float* to, std::vector<float>& result) {
          const float* q = rows.data() + token * stride;
          kernels.delta_rule({q, q + key_dim, q + 2 * key_dim, stride, decay.data() + token * gate_stride, beta.data() + token * gate_stride, gate_stride,
                              result.data() + token * kStateTile, kStateTile, count, key_dim, columns, from, to, corrects});
        };
        const float* start = first ? nullptr : before.data();
        tile(0, tokens, start, after.data(), out);
        for (int64_t t = 0; t < tokens; ++t) tile(t, 1, t == 0 ? start : turns[(t + 1) % 2].data(), turns[t % 2].data(), alone);
        for (int64_t i = 0; i < tokens * columns; ++i) {
          const auto at = static_cast<size_t>(i / columns * kStateTile + i % columns);
          CHECK(std::abs(out[at] - expected[static_cast<size_t>(i)]) <= 1e-5, isa, ": token ", i / columns, " column ", i % columns, ": ", out[at], ", expected ", expected[static_cast<size_t>(i)]);
          CHECK(out[at] == alone[at], isa, ": token by token, token ", i / columns);
        }
        for (int64_t i = 0; i < key_dim; ++i)
          for (int64_t c = 0; c < columns; ++c) {
            const auto at = static_cast<size_t>(i * kStateTile + c);
            CHECK(std::abs(after[at] - s[static_cast<size_t>(i * columns + c)]) <= 1e-5 && after[at] == turns[(tokens - 1) % 2][at], isa, ": state ", i, ", ", c);
          }
      }
    }
  }
}

TEST("convolution, norm of q and k, and gates of linear attention") {
  std::mt19937 generator(32);
  std::normal_distribution<float> normal;
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  for (const std::string& isa : available_isas())
    for (const int64_t n : {1, 7, 16, 33, 128}) {
      const Kernels& kernels = select_kernels(isa);
      std::vector<float> x(static_cast<size_t>(4 * n)), weights(x.size()), out(static_cast<size_t>(n), NAN), normed, gated;
      for (float& value : x) value = normal(generator);
      for (float& value : weights) value = normal(generator);
      const float* taps[] = {nullptr, x.data() + n, x.data() + 2 * n, x.data() + 3 * n};
      std::vector<float> plain(out);
      kernels.causal_conv(taps, 4, weights.data(), nullptr, n, n, true, out.data());
      kernels.causal_conv(taps, 4, weights.data(), x.data(), n, n, false, plain.data());
      normed = gated = {x.begin(), x.begin() + n};
      kernels.l2_norm(normed.data(), 1e-6f, 0.25f, n);
      kernels.sigmoid_gate(weights.data(), gated.data(), n);
      double squares = 1e-6;
      for (int64_t i = 0; i < n; ++i) squares += double(x[static_cast<size_t>(i)]) * x[static_cast<size_t>(i)];
      for (int64_t i = 0; i < n; ++i) {
        const auto at = [&](int64_t t) { return static_cast<size_t>(t * n + i); };
        double sum = 0;
        for (int64_t t = 1; t < 4; ++t) sum += double(x[at(t)]) * weights[at(t)];
        CHECK(std::abs(out[at(0)] - sum * sigmoid(sum)) <= 1e-5, isa, ": convolution ", i, " of ", n);
        CHECK(std::abs(plain[at(0)] - (x[at(0)] + sum)) <= 1e-5, isa, ": convolution with a bias ", i, " of ", n);
        CHECK(std::abs(normed[at(0)] - 0.25 * x[at(0)] / std::sqrt(squares)) <= 1e-6, isa, ": norm ", i, " of ", n);
        CHECK(std::abs(gated[at(0)] - x[at(0)] * sigmoid(weights[at(0)])) <= 1e-5, isa, ": gate ", i, " of ", n);
      }
    }
}

TEST("gemm: every stored form and weight type against float64, with tails") {
  for (const std::string& isa : available_isas()) {
    const auto device = make_cpu_device({2, isa});
    for (const WeightType type : {WeightType::f32, WeightType::bf16, WeightType::i8}) {
      for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_nl, DType::iq4_xs}) {
        const int64_t block = dtype_block(dtype);
        for (const int64_t rows : {1, 2, 5, 13, 33})
          check_gemm(as_cpu(*device), type, dtype, rows, rows % 2 == 0 ? 40 : 33, block == 256 ? 256 : block == 32 ? 96 : 61, rows == 5);
      }
      check_gemm(as_cpu(*device), type, DType::f32, 101, 64, 1100, true);  // more than one row chunk and input chunk
      check_gemm(as_cpu(*device), type, DType::q4_1, 3, 70, 1600, false);
      check_gemm(as_cpu(*device), type, DType::f32, 4, 1, 1, true);
      check_gemm(as_cpu(*device), type, DType::bf16, 9, 35, 70, true);
    }
  }
}

TEST("gemm: a row has the same bits in any batch") {
  for (const std::string& isa : available_isas())
    for (const WeightType type : {WeightType::f32, WeightType::bf16, WeightType::i8}) {
      const auto one = make_cpu_device({1, isa}), many = make_cpu_device({3, isa});
      std::mt19937 generator(3);
      const int64_t in = 1600, out = 77, rows = 131;
      const DType dtype = DType::q4_1;
      PackedMatrix weights(PackedMatrix::storage_for(std::span(&dtype, 1), in, type), type, out, in);
      weights.set_rows(0, out, dtype, stored_weights(dtype, out * in, generator).data());
      const Kernels& kernels = as_cpu(*one).kernels();
      const Activations x = random_rows(kernels, rows, in, forms_for(weights), generator);
      std::vector<float> y(static_cast<size_t>(rows * out)), y1(y.size());
      gemm(as_cpu(*many), {&x, rows, &weights, nullptr, y.data(), out});
      for (const int64_t count : {1, 2, 7, 11, 12, 13, 32})
        for (int64_t first = 0; first + count <= rows; first += 29) {
          Activations some;
          some.reserve(count, in, forms_for(weights));
          for (int64_t m = 0; m < count; ++m) {
            std::copy_n(x.row(first + m), in, some.row(m));
            some.encode(kernels, m);
          }
          gemm(as_cpu(*one), {&some, count, &weights, nullptr, y1.data(), out});
          CHECK(std::memcmp(y1.data(), y.data() + first * out, sizeof(float) * static_cast<size_t>(count * out)) == 0, isa, ", ", count, " rows");
        }
    }
}

// Outputs [2, 40] of random rows of 96 inputs, once `change` has changed the second row.
std::vector<float> gemm_of_two_rows(const std::string& isa, WeightType type, DType dtype, const std::function<void(float* row)>& change) {
  const auto device = make_cpu_device({1, isa});
  std::mt19937 generator(3);
  PackedMatrix weights(PackedMatrix::storage_for(std::span(&dtype, 1), 96, type), type, 40, 96);
  weights.set_rows(0, 40, dtype, stored_weights(dtype, 40 * 96, generator).data());
  Activations x = random_rows(as_cpu(*device).kernels(), 2, 96, forms_for(weights), generator);
  change(x.row(1));
  x.encode(as_cpu(*device).kernels(), 1);
  std::vector<float> y(80);
  gemm(as_cpu(*device), {&x, 2, &weights, nullptr, y.data(), 40});
  return y;
}

TEST("gemm: NaN and infinity come through in every weight type") {
  for (const std::string& isa : available_isas())
    for (const WeightType type : {WeightType::f32, WeightType::bf16, WeightType::i8})
      for (const DType dtype : {DType::f32, DType::q4_1})
        for (const float bad : {NAN, INFINITY, -INFINITY}) {
          const std::vector<float> y = gemm_of_two_rows(isa, type, dtype, [&](float* row) { row[66] = bad; });
          for (size_t n = 0; n < 40; ++n) CHECK(std::isfinite(y[n]) && !std::isfinite(y[40 + n]), isa, " column ", n, ": ", y[n], " ", y[40 + n]);
        }
}

TEST("gemm: numbers too small for a scale of 8 bits give outputs near zero") {
  for (const std::string& isa : available_isas())
    for (const DType dtype : {DType::f32, DType::q4_1})
      for (const float tiny : {1e-36f, 1e-38f, 1e-45f}) {
        const std::vector<float> y = gemm_of_two_rows(isa, WeightType::i8, dtype, [&](float* row) { std::fill_n(row, 96, tiny); });
        for (size_t n = 0; n < 40; ++n) CHECK(std::abs(y[40 + n]) <= 1e-30f, isa, " column ", n, ": ", y[40 + n]);
      }
}

TEST("kernels: norm, activation, rotation, softmax against float64") {
  std::mt19937 generator(11);
  std::normal_distribution<float> normal;
  for (const std::string& isa : available_isas()) {
    const Kernels& k = select_kernels(isa);
    for (const int64_t n : {1, 2, 7, 16, 17, 64, 100}) {
      const auto size = static_cast<size_t>(n);
      std::vector<float> x(size), w(size), out(size + 1, 7.0f);
      std::generate(x.begin(), x.end(), [&] { return normal(generator) * 3; });
      std::generate(w.begin(), w.end(), [&] { return normal(generator); });
      double squares = 0;
      for (const float value : x) squares += double(value) * value;
      k.rms_norm(x.data(), w.data(), 1e-5f, n, out.data());
      for (size_t i = 0; i < size; ++i) {
        const double expected = w[i] * x[i] / std::sqrt(squares / double(n) + 1e-5);
        CHECK(std::abs(out[i] - expected) <= 1e-6 * (std::abs(expected) + 1e-3), isa, " rms_norm");
      }
      double mean = 0, spread = 0;
      for (const float value : x) mean += value / double(n);
      for (const float value : x) spread += (value - mean) * (value - mean) / double(n);
      k.layer_norm(x.data(), w.data(), x.data(), 1e-5f, n, out.data());
      for (size_t i = 0; i < size; ++i) {
        const double expected = w[i] * (x[i] - mean) / std::sqrt(spread + 1e-5) + x[i];
        CHECK(std::abs(out[i] - expected) <= 2e-5 * (std::abs(expected) + 1), isa, " layer_norm ", out[i], " expected ", expected);
      }
      std::vector<float> unbiased = x;
      const std::vector<float> zeros(size);
      k.layer_norm(x.data(), w.data(), zeros.data(), 1e-5f, n, out.data());
      k.layer_norm(unbiased.data(), w.data(), nullptr, 1e-5f, n, unbiased.data());
      CHECK(std::equal(unbiased.begin(), unbiased.end(), out.begin()), isa, " layer_norm without bias, in place");
      k.swiglu(x.data(), w.data(), n, out.data());
      for (size_t i = 0; i < size; ++i) {
        const double expected = x[i] / (1 + std::exp(-double(x[i]))) * w[i];
        CHECK(std::abs(out[i] - expected) <= 2e-6 * (std::abs(expected) + 1e-3), isa, " swiglu ", out[i], " expected ", expected);
      }
      k.geglu(x.data(), w.data(), n, out.data());
      for (size_t i = 0; i < size; ++i) {
        const double inner = std::sqrt(2 / std::numbers::pi) * (x[i] + 0.044715 * std::pow(double(x[i]), 3));
        const double expected = 0.5 * x[i] * (1 + std::tanh(inner)) * w[i];
        CHECK(std::abs(out[i] - expected) <= 2e-6 * (std::abs(expected) + 1e-2), isa, " geglu ", out[i], " expected ", expected);
      }
      const std::vector<float> ones(size, 1.0f);
      std::vector<float> gated(size);
      k.geglu(x.data(), ones.data(), n, gated.data());
      k.gelu(x.data(), n, out.data());
      CHECK(std::equal(gated.begin(), gated.end(), out.begin()), isa, " gelu");
      k.relu2(x.data(), n, out.data());
      for (size_t i = 0; i < size; ++i) CHECK(out[i] == (x[i] > 0 ? x[i] * x[i] : 0.0f), isa, " relu2");
      k.xielu(x.data(), n, 0.7f, 1.1f, 0.5f, out.data());
      for (size_t i = 0; i < size; ++i) {
        const double expected = (x[i] > 0 ? 0.7 * x[i] * x[i] : 1.1 * (std::expm1(double(x[i])) - x[i])) + 0.5 * x[i];
        CHECK(std::abs(out[i] - expected) <= 1e-6 * (std::abs(expected) + 1), isa, " xielu ", out[i], " expected ", expected);
      }
      for (const auto& [sharpness, limit] : {std::pair{1.702f, 7.0f}, std::pair{0.5f, 0.75f}}) {
        k.clamped_swiglu(x.data(), w.data(), n, sharpness, limit, out.data());
        for (size_t i = 0; i < size; ++i) {
          const double g = std::min(x[i], limit), u = std::clamp(w[i], -limit, limit), expected = g / (1 + std::exp(-double(sharpness) * g)) * (u + 1);
          CHECK(std::abs(out[i] - expected) <= 2e-6 * (std::abs(expected) + 1e-1), isa, " clamped_swiglu ", out[i], " expected ", expected);
        }
      }
      for (const float cap : {0.5f, 30.0f}) {
        std::copy(x.begin(), x.end(), out.begin());
        k.softcap(out.data(), cap, n);
        for (size_t i = 0; i < size; ++i) {
          const double expected = cap * std::tanh(double(x[i]) / cap);
          CHECK(std::abs(out[i] - expected) <= 4e-7 * cap, isa, " softcap ", out[i], " expected ", expected);
        }
      }
      CHECK(out[size] == 7.0f, isa, ": wrote past the end");
      std::vector<float> scores = x;
      scores.push_back(7.0f);
      const float sum = k.softmax_numerators(scores.data(), n, kNoSink);
      const float most = *std::max_element(x.begin(), x.end());
      double expected_sum = 0;
      for (size_t i = 0; i < size; ++i) {
        const double expected = std::exp(double(x[i]) - most);
        expected_sum += expected;
        CHECK(std::abs(scores[i] - expected) <= 1e-6 * expected + 1e-12, isa, " softmax");
      }
      CHECK(std::abs(sum - expected_sum) <= 1e-5 * expected_sum && scores[size] == 7.0f, isa, " softmax sum");
      for (const float sink : {most - 3, most + 2, most + 300, -1e30f}) {
        scores = x;
        const float with_sink = k.softmax_numerators(scores.data(), n, sink);
        const double top = std::max(most, sink);
        double mass = std::exp(sink - top);
        for (size_t i = 0; i < size; ++i) {
          mass += std::exp(x[i] - top);
          CHECK(std::abs(scores[i] - std::exp(x[i] - top)) <= 1e-6 * std::exp(x[i] - top) + 1e-12, isa, " softmax with a sink");
        }
        CHECK(std::abs(with_sink - mass) <= 1e-5 * mass, isa, " softmax sum with a sink: ", with_sink, " expected ", mass);
      }
      if (n % 2 != 0) continue;
      std::vector<float> rotated = x, c(size), s(size);
      for (size_t i = 0; i < size / 2; ++i) {
        c[i] = std::cos(static_cast<float>(i));
        s[i] = std::sin(static_cast<float>(i));
      }
      k.rope(rotated.data(), c.data(), s.data(), n / 2);
      for (size_t i = 0; i < size / 2; ++i) {
        const size_t j = i + size / 2;
        CHECK(std::abs(rotated[i] - (double(x[i]) * c[i] - double(x[j]) * s[i])) < 1e-5, isa, " rope");
        CHECK(std::abs(rotated[j] - (double(x[j]) * c[i] + double(x[i]) * s[i])) < 1e-5, isa, " rope");
      }
      rotated = x;
      k.rope_interleaved(rotated.data(), c.data(), s.data(), n / 2);
      for (size_t i = 0; i < size / 2; ++i) {
        const double a = x[2 * i], b = x[2 * i + 1];
        CHECK(std::abs(rotated[2 * i] - (a * c[i] - b * s[i])) < 1e-5, isa, " rope of neighbours");
        CHECK(std::abs(rotated[2 * i + 1] - (b * c[i] + a * s[i])) < 1e-5, isa, " rope of neighbours");
      }
    }
  }
}

TEST("numbers: rounding to half precision and bfloat16") {
  for (const auto& [value, half, brain] : std::initializer_list<std::tuple<float, uint16_t, uint16_t>>{
           {0.0f, 0, 0}, {-0.0f, 0x8000, 0x8000}, {1.0f, 0x3C00, 0x3F80}, {65504.0f, 0x7BFF, 0x4780}, {65519.0f, 0x7BFF, 0x4780}, {65520.0f, 0x7C00, 0x4780},
           {1.00390625f, 0x3C04, 0x3F80}, {1.01171875f, 0x3C0C, 0x3F82}, {6.0e-8f, 1, 0x3381}, {2.9e-8f, 0, 0x32F9}, {6.1035156e-5f, 0x0400, 0x3880}, {INFINITY, 0x7C00, 0x7F80}}) {
    CHECK_EQUAL(float_to_f16(value), half);
    CHECK_EQUAL(float_to_bf16(value), brain);
  }
  CHECK(std::isnan(f16_to_float(float_to_f16(NAN))) && std::isnan(bf16_to_float(float_to_bf16(NAN))));
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float half = f16_to_float(static_cast<uint16_t>(bits)), brain = bf16_to_float(static_cast<uint16_t>(bits));
    CHECK(std::isnan(half) || float_to_f16(half) == bits, "half ", bits);
    CHECK(std::isnan(brain) || float_to_bf16(brain) == bits, "bfloat16 ", bits);
  }
  // Every instruction set rounds as the definition does.
  std::mt19937 generator(4);
  for (const std::string& isa : available_isas())
    for (int round = 0; round < 200; ++round) {
      std::array<float, 19> x;
      for (float& value : x) value = std::bit_cast<float>(static_cast<uint32_t>(generator()));
      std::array<uint16_t, 64> brain;
      std::array<uint16_t, 19> half;
      select_kernels(isa).encode_bf16(x.data(), 19, brain.data());
      select_kernels(isa).narrow_f16(x.data(), 19, half.data());
      for (size_t i = 0; i < x.size(); ++i) {
        const float clamped = std::isnan(x[i]) ? x[i] : std::clamp(x[i], -65504.0f, 65504.0f);
        CHECK(std::isnan(x[i]) ? std::isnan(bf16_to_float(brain[i])) : brain[i] == float_to_bf16(x[i]), isa, " bfloat16 of ", x[i]);
        CHECK(std::isnan(x[i]) ? std::isnan(f16_to_float(half[i])) : half[i] == float_to_f16(clamped), isa, " half of ", x[i]);
      }
      for (size_t i = 19; i < 64; ++i) CHECK_EQUAL(brain[i], 0);
    }
}

TEST("kernels: NaN comes through, so that the engine can see it") {
  for (const std::string& isa : available_isas()) {
    const Kernels& k = select_kernels(isa);
    std::vector<float> scores(20, 1.0f);
    scores[3] = NAN;
    CHECK(std::isnan(k.softmax_numerators(scores.data(), 20, kNoSink)), isa);
    std::vector<float> gate(20, NAN), up(20, 1.0f), out(20);
    k.swiglu(gate.data(), up.data(), 20, out.data());
    CHECK(std::isnan(out[0]) && std::isnan(out[19]), isa);
    k.geglu(gate.data(), up.data(), 20, out.data());
    CHECK(std::isnan(out[0]) && std::isnan(out[19]), isa);
    k.gelu(gate.data(), 20, out.data());
    CHECK(std::isnan(out[0]) && std::isnan(out[19]), isa);
    k.relu2(gate.data(), 20, out.data());
    CHECK(std::isnan(out[0]) && std::isnan(out[19]), isa);
    k.xielu(gate.data(), 20, 1, 1, 0.5f, out.data());
    CHECK(std::isnan(out[0]) && std::isnan(out[19]), isa);
    up[7] = NAN;
    k.layer_norm(up.data(), gate.data(), gate.data(), 1e-5f, 20, out.data());
    CHECK(std::isnan(out[0]) && std::isnan(out[19]), isa);
    k.clamped_swiglu(gate.data(), up.data(), 20, 1.702f, 7.0f, out.data());
    CHECK(std::isnan(out[0]) && std::isnan(out[19]), isa);
    k.clamped_swiglu(up.data(), gate.data(), 20, 1.702f, 7.0f, out.data());
    CHECK(std::isnan(out[0]) && std::isnan(out[19]), isa);
    k.softcap(gate.data(), 30.0f, 20);
    CHECK(std::isnan(gate[0]) && std::isnan(gate[19]), isa);
  }
}

}  // namespace
}  // namespace sgmv::test
