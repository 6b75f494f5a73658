// Layers with a state on CUDA against plain loops in float64.
#include <algorithm>
#include <cmath>

#include "cuda/device_test.h"
#include "ops/state_mixer_cuda.h"

namespace sgmv::test {
namespace {

using namespace sgmv::cuda;

constexpr float kEps = 1e-5f;

// Numbers from -1 to 1, the same wherever they are asked for.
double number(int32_t of, int64_t at) { return static_cast<float>(std::sin(1.7 * static_cast<double>(at % 100003) + 31.0 * of)); }

std::vector<float> numbers(int32_t of, int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(number(of, i)));
  return values;
}

bool has_bias(const LinearAttentionShape& shape) { return shape.rule != StateRule::gated_delta && shape.taps != 3; }

// Tokens of sequence `s`: their rows of the product.
std::vector<float> row_of(const LinearAttentionShape& shape, int32_t s, int32_t position) { return numbers(100 + 57 * s + position, shape.width()); }

struct Device {
  explicit Device(const LinearAttentionShape& of)
      : shape(of), conv(on_device(numbers(1, int64_t{of.taps} * of.conv_width()))), conv_bias(on_device(numbers(5, of.conv_width()))), skip(on_device(numbers(6, of.value_heads))),
        dt_bias(on_device(numbers(3, of.value_heads))), norm(on_device(numbers(4, of.values()))) {
    std::vector<float> rates = numbers(2, of.value_heads);
    for (float& rate : rates) rate = -std::abs(rate) - 0.05f;
    decay_rates = on_device(rates);
    states = poisoned<float>(static_cast<size_t>(kSlots * slot_floats()));
  }
  static constexpr int32_t kSlots = 8;
  int64_t slot_floats() const { return 2 * shape.state_floats(); }  // of two layers, of which this is the second

  const LinearAttentionShape shape;
  DeviceArray<float> conv, conv_bias, skip, dt_bias, norm, decay_rates, states;
};

struct Slice { int32_t sequence, position, count, from, to; };

// A row of `out` for each token of the slices; between them lies a row that only fills.
std::vector<std::vector<double>> run(const Device& device, Number type, const std::vector<Slice>& slices) {
  const LinearAttentionShape& shape = device.shape;
  std::vector<float> rows;
  std::vector<StateSlice> of_step;
  std::vector<int32_t> slice_of_token;
  for (const Slice& slice : slices) {
    of_step.push_back({static_cast<int32_t>(slice_of_token.size()), slice.count, slice.from, slice.to});
    for (int32_t i = 0; i <= slice.count; ++i) {
      const std::vector<float> row = row_of(shape, slice.sequence, slice.position + i);
      rows.insert(rows.end(), row.begin(), row.end());
      slice_of_token.push_back(i < slice.count ? static_cast<int32_t>(of_step.size()) - 1 : -1);
    }
  }
  of_step.push_back({0, 0, -1, -1});
  const auto tokens = slice_of_token.size();
  const auto projected = on_device(rows);
  const auto device_slices = on_device(of_step);
  const auto device_slice_of_token = on_device(slice_of_token);
  const auto mixed = poisoned<float>(tokens * static_cast<size_t>(shape.conv_width())), gates = poisoned<float>(tokens * 2 * static_cast<size_t>(shape.value_heads)),
             read = poisoned<float>(tokens * static_cast<size_t>(shape.values()));
  const size_t row_bytes = static_cast<size_t>(padded(shape.values())) * number_bytes(type);
  const auto out = poisoned<std::byte>(tokens * row_bytes);
  StateWork work;
  work.shape = shape;
  work.eps = kEps;
  work.type = type;
  work.projected = projected.data();
  work.conv = device.conv.data();
  work.conv_bias = has_bias(shape) ? device.conv_bias.data() : nullptr;
  work.skip = device.skip.data();
  work.decay_rates = device.decay_rates.data();
  work.dt_bias = device.dt_bias.data();
  work.norm = device.norm.data();
  work.slices = device_slices.data();
  work.slice_of_token = device_slice_of_token.data();
  work.slice_count = static_cast<int32_t>(of_step.size());
  work.tokens = static_cast<int32_t>(tokens);
  work.states = device.states.data() + shape.state_floats();
  work.slot_floats = device.slot_floats();
  work.mixed = mixed.data();
  work.gates = gates.data();
  work.read = read.data();
  work.out = out.data();
  mix_states(nullptr, work);
  const std::vector<std::byte> found = from_device(out);
  std::vector<std::vector<double>> result;
  for (size_t t = 0; t < tokens; ++t) {
    if (slice_of_token[t] < 0) continue;
    auto& row = result.emplace_back();
    for (int32_t i = 0; i < shape.values(); ++i) row.push_back(number_from(found.data() + t * row_bytes + static_cast<size_t>(i) * number_bytes(type), type));
  }
  return result;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// What the first `count` tokens of a sequence give: of gated_delta.
std::vector<std::vector<double>> expect(const LinearAttentionShape& shape, int32_t sequence, int32_t count) {
  std::vector<double> state(static_cast<size_t>(int64_t{shape.values()} * shape.key_dim));
  std::vector<std::vector<double>> result;
  std::vector<std::vector<float>> rows;
  for (int32_t t = 0; t < count; ++t) {
    rows.push_back(row_of(shape, sequence, t));
    const auto channel = [&](int32_t column, int32_t c) {
      double sum = 0;
      for (int32_t tap = 0; tap < shape.taps; ++tap)
        if (const int32_t from = t - (shape.taps - 1 - tap); from >= 0) sum += number(1, int64_t{tap} * shape.conv_width() + c) * rows[static_cast<size_t>(from)][static_cast<size_t>(column)];
      return sum * sigmoid(sum);
    };
    auto& out = result.emplace_back(static_cast<size_t>(shape.values()));
    for (int32_t head = 0; head < shape.value_heads; ++head) {
      const int32_t key = head / shape.per_key_head();
      std::vector<double> q, k;
      double q_squares = 1e-6, k_squares = 1e-6;
      for (int32_t i = 0; i < shape.key_dim; ++i) {
        q.push_back(channel(shape.q_column(key) + i, key * shape.key_dim + i));
        k.push_back(channel(shape.k_column(key) + i, shape.keys() + key * shape.key_dim + i));
        q_squares += q.back() * q.back();
        k_squares += k.back() * k.back();
      }
      const std::vector<float>& row = rows.back();
      const double rate = -std::abs(number(2, head)) - 0.05, a = row[static_cast<size_t>(shape.a_column(head))] + number(3, head);
      const double decay = std::exp(rate * std::log1p(std::exp(a))), beta = sigmoid(row[static_cast<size_t>(shape.b_column(head))]);
      double squares = 0;
      for (int32_t c = 0; c < shape.value_dim; ++c) {
        double* s = state.data() + (int64_t{head} * shape.value_dim + c) * shape.key_dim;
        double known = 0, sum = 0;
        const auto kn = [&](int32_t i) { return k[static_cast<size_t>(i)] / std::sqrt(k_squares); };
        for (int32_t i = 0; i < shape.key_dim; ++i) known += (s[i] *= decay) * kn(i);
        const double delta = beta * (channel(shape.v_column(head) + c, 2 * shape.keys() + head * shape.value_dim + c) - known);
        for (int32_t i = 0; i < shape.key_dim; ++i) sum += (s[i] += kn(i) * delta) * q[static_cast<size_t>(i)] / std::sqrt(q_squares) / std::sqrt(double(shape.key_dim));
        out[static_cast<size_t>(head * shape.value_dim + c)] = sum;
        squares += sum * sum;
      }
      for (int32_t c = 0; c < shape.value_dim; ++c) {
        const double z = row[static_cast<size_t>(shape.z_column(head) + c)];
        out[static_cast<size_t>(head * shape.value_dim + c)] *= number(4, c) / std::sqrt(squares / shape.value_dim + double(kEps)) * z * sigmoid(z);
      }
    }
  }
  return result;
}

// Of the other rules.
std::vector<std::vector<double>> expect_other(const LinearAttentionShape& shape, int32_t sequence, int32_t count) {
  std::vector<double> state(static_cast<size_t>(int64_t{shape.values()} * shape.key_dim));
  std::vector<std::vector<double>> result;
  std::vector<std::vector<float>> rows;
  for (int32_t t = 0; t < count; ++t) {
    rows.push_back(row_of(shape, sequence, t));
    const auto of_row = [&](int32_t row, int32_t column) { return double(rows[static_cast<size_t>(row)][static_cast<size_t>(column)]); };
    const auto channel = [&](int32_t column, int32_t c) {
      double sum = has_bias(shape) ? number(5, c) : 0;
      for (int32_t tap = 0; tap < shape.taps; ++tap)
        if (const int32_t from = t - (shape.taps - 1 - tap); from >= 0) sum += number(1, int64_t{tap} * shape.conv_width() + c) * of_row(from, column) * (shape.is_conv() ? of_row(from, c) : 1.0);
      return shape.is_conv() ? sum : sum * sigmoid(sum);
    };
    auto& out = result.emplace_back(static_cast<size_t>(shape.values()));
    for (int32_t i = 0; shape.is_conv() && i < shape.values(); ++i) out[static_cast<size_t>(i)] = channel(2 * shape.values() + i, i) * of_row(t, shape.values() + i);
    if (shape.is_conv()) continue;
    const auto gate = [&](int32_t i) { const double z = shape.gate_scale * of_row(t, i); return z * sigmoid(z); };
    for (int32_t i = 0; i < shape.values(); ++i) {
      const int32_t head = i / shape.value_dim, group = head / shape.per_key_head(), values = shape.values(), keys = shape.keys();
      const double step = std::clamp(std::log1p(std::exp(shape.step_scale * of_row(t, 2 * values + 2 * keys + head) + number(3, head))), double(shape.step_min), double(shape.step_max));
      const double decay = std::exp((-std::abs(number(2, head)) - 0.05) * step), x = channel(values + i, i);
      double sum = number(6, head) * x;
      for (int32_t n = 0; n < shape.key_dim; ++n) {
        const int32_t b = values + group * shape.key_dim + n, c = b + keys;
        double& s = state[static_cast<size_t>(i * shape.key_dim + n)];
        s = decay * s + step * x * channel(values + b, b);
        sum += s * channel(values + c, c);
      }
      out[static_cast<size_t>(i)] = shape.gate == StateGate::before_norm ? sum * gate(i) : sum;
    }
    for (int32_t first = 0; first < shape.values(); first += shape.norm_width()) {
      double squares = 0;
      for (int32_t i = first; i < first + shape.norm_width(); ++i) squares += out[static_cast<size_t>(i)] * out[static_cast<size_t>(i)];
      for (int32_t i = first; i < first + shape.norm_width(); ++i) {
        double& y = out[static_cast<size_t>(i)];
        if (shape.gate != StateGate::alone) y *= number(4, i) / std::sqrt(squares / shape.norm_width() + double(kEps));
        if (shape.gate != StateGate::before_norm) y *= gate(i);
        y *= shape.out_scale;
      }
    }
  }
  return result;
}

LinearAttentionShape mamba(int32_t groups, int32_t heads, int32_t state, int32_t dim, int32_t taps, StateGate gate, float step_max = 2.0f, float scale = 1.0f) {
  return {.key_heads = groups, .value_heads = heads, .key_dim = state, .value_dim = dim, .taps = taps, .rule = StateRule::mamba2, .gate = gate, .step_min = 0.3f, .step_max = step_max,
          .gate_scale = scale, .step_scale = 2 * scale, .out_scale = 1 / scale};
}

TEST("states cuda: rules, shapes, types, in one go, cut, and among others") {
  const LinearAttentionShape shapes[] = {{1, 1, 8, 4, 4, false}, {2, 4, 6, 10, 4, false}, {2, 6, 5, 33, 3, true}, {1, 2, 66, 40, 2, true}, {1, 1, 130, 32, 1, false}, {1, 1, 256, 70, 16, false},
                                         mamba(1, 2, 8, 4, 4, StateGate::before_norm), mamba(2, 6, 5, 33, 3, StateGate::before_norm, 0.9f), mamba(2, 4, 66, 40, 2, StateGate::after_norm, 2.0f, 0.5f),
                                         mamba(1, 5, 256, 70, 4, StateGate::alone, INFINITY, 0.25f),
                                         {.value_heads = 1, .value_dim = 7, .taps = 3, .rule = StateRule::short_conv}, {.value_heads = 1, .value_dim = 300, .taps = 16, .rule = StateRule::short_conv}};
  for (const LinearAttentionShape& shape : shapes) {
    const auto expect = [](const LinearAttentionShape& s, int32_t sequence, int32_t count) { return s.rule == StateRule::gated_delta ? test::expect(s, sequence, count) : expect_other(s, sequence, count); };
    if (kSanitized && shape.key_dim > 100) continue;
    const auto first = expect(shape, 0, 7), second = expect(shape, 1, 3);
    for (const Number type : {Number::f32, Number::f16, Number::bf16}) {
      const Device device(shape);
      const auto close = [&](const std::vector<double>& found, const std::vector<double>& expected, const char* what, size_t token) {
        const double relative = type == Number::f32 ? 2e-5 : type == Number::f16 ? 0x1p-10 : 0x1p-7;
        for (size_t i = 0; i < expected.size(); ++i)
          CHECK(std::abs(found[i] - expected[i]) <= relative * (std::abs(expected[i]) + 1), what, ": rule ", static_cast<int>(shape.rule), ", key size ", shape.key_dim, ", token ", token, ", ", i, ": ", found[i], ", expected ", expected[i]);
      };
      const auto whole = run(device, type, {{0, 0, 7, -1, 5}});
      for (size_t t = 0; t < 7; ++t) close(whole[t], first[t], "whole", t);
      // The same again in three slices, another sequence beside it.
      const auto a = run(device, type, {{0, 0, 2, -1, 0}}), b = run(device, type, {{1, 0, 3, -1, 7}, {0, 2, 1, 0, 1}}), c = run(device, type, {{0, 3, 4, 1, 0}});
      for (size_t t = 0; t < 3; ++t) close(b[t], second[t], "beside", t);
      CHECK(a[0] == whole[0] && a[1] == whole[1] && b[3] == whole[2], "cut: rule ", static_cast<int>(shape.rule), ", key size ", shape.key_dim);
      for (size_t t = 0; t < 4; ++t) CHECK(c[t] == whole[3 + t], "cut: rule ", static_cast<int>(shape.rule), ", key size ", shape.key_dim, ", token ", 3 + t);
    }
  }
}

TEST("gate of attention cuda: heads of any size, with a bias and without") {
  for (const int32_t head_dim : {2, 8, 36, 256})
    for (const Number type : {Number::f32, Number::bf16})
      for (const bool biased : {false, true}) {
        constexpr int32_t kHeads = 5, kTokens = 2;
        const int64_t stride = 2 * kHeads * head_dim + 7, width = padded(kHeads * head_dim);
        const auto qkv = on_device(numbers(1, kTokens * stride)), bias = on_device(numbers(2, 2 * kHeads * head_dim));
        const std::vector<float> before = numbers(3, kTokens * kHeads * head_dim);
        const auto x = on_device(rows_of(type, before, kHeads * head_dim, width));
        gate_attention(nullptr, {type, qkv.data(), biased ? bias.data() : nullptr, stride, kTokens, kHeads, head_dim, x.data()});
        const std::vector<std::byte> found = from_device(x);
        const std::vector<double> stored = rounded_to(type, before);
        for (int64_t t = 0; t < kTokens; ++t)
          for (int32_t i = 0; i < kHeads * head_dim; ++i) {
            const int64_t column = (2 * (i / head_dim) + 1) * head_dim + i % head_dim;
            const double wanted = stored[static_cast<size_t>(t * kHeads * head_dim + i)] * sigmoid(number(1, t * stride + column) + (biased ? number(2, column) : 0.0));
            const double is = number_from(found.data() + static_cast<size_t>(t * width + i) * number_bytes(type), type);
            CHECK(std::abs(is - wanted) <= (type == Number::f32 ? 1e-6 : 0x1p-8), "head size ", head_dim, ", token ", t, ", ", i, ": ", is, ", expected ", wanted);
          }
      }
}

}  // namespace
}  // namespace sgmv::test
