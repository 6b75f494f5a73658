#include "ops_binding.h"

#include <cmath>
#include <list>
#include <vector>

#include "js_error.h"
#include "sgmv/device.h"
#include "sgmv/ops.h"

namespace sgmv::binding {
namespace {

constexpr size_t kAlignment = 64;  // what the kernels ask of packed factors

// A packed factor on the heap, aligned.
class PackedFactor {
 public:
  explicit PackedFactor(size_t bytes) : storage_(bytes + kAlignment) {}
  void* data() {
    const auto address = reinterpret_cast<uintptr_t>(storage_.data());
    return storage_.data() + (kAlignment - address % kAlignment) % kAlignment;
  }

 private:
  std::vector<std::byte> storage_;
};

std::shared_ptr<Device> device_from(const Napi::Object& options) {
  DeviceOptions device;
  if (options.Get("isa").IsString()) device.isa = options.Get("isa").As<Napi::String>().Utf8Value();
  if (options.Get("threads").IsNumber()) device.threads = options.Get("threads").As<Napi::Number>().Int32Value();
  return make_cpu_device(device);
}

// Sizes and token numbers: bounded, so that their products fit into 64 bits.
int64_t integer(const Napi::Value& value, const char* name) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= INT32_MAX) || number != std::floor(number)) {
    throw Error("bad_argument", std::string(name) + ": expected a whole number from 0 to " + std::to_string(INT32_MAX) + ".");
  }
  return static_cast<int64_t>(number);
}

Napi::Object object(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) throw Error("bad_argument", std::string(name) + ": expected an object.");
  return value.As<Napi::Object>();
}

Napi::Array array(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) throw Error("bad_argument", std::string(name) + ": expected an array.");
  return value.As<Napi::Array>();
}

struct TokenRange {
  int64_t begin, end;
};

TokenRange token_range(const Napi::Object& segment) {
  const TokenRange range{integer(segment.Get("tokenBegin"), "tokenBegin"), integer(segment.Get("tokenEnd"), "tokenEnd")};
  if (range.end < range.begin) throw Error("bad_argument", "tokenEnd: expected at least tokenBegin.");
  return range;
}

std::span<float> floats(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) {
    throw Error("bad_argument", std::string(name) + ": expected a Float32Array.");
  }
  auto array = value.As<Napi::Float32Array>();
  return {array.Data(), array.ElementLength()};
}

// A factor as JavaScript has it: `{type: 'f32' | 'f16' | 'bf16', data}`, 16-bit numbers in a Uint16Array.
struct RawFactor {
  LoraType type;
  const void* data;
};

RawFactor raw_factor(const Napi::Object& segment, int64_t elements) {
  const std::string type = segment.Get("type").IsString() ? segment.Get("type").As<Napi::String>().Utf8Value() : "f32";
  const Napi::Value data = segment.Get("data");
  const bool wide = type == "f32";
  const napi_typedarray_type wanted = wide ? napi_float32_array : napi_uint16_array;
  if (!data.IsTypedArray() || data.As<Napi::TypedArray>().TypedArrayType() != wanted ||
      static_cast<int64_t>(data.As<Napi::TypedArray>().ElementLength()) != elements) {
    throw Error("bad_argument", "data: expected a " + std::string(wide ? "Float32Array" : "Uint16Array") + " of " +
                                    std::to_string(elements) + " elements.");
  }
  const LoraType lora_type = wide ? LoraType::f32 : type == "f16" ? LoraType::f16 : LoraType::bf16;
  const void* bytes = wide ? static_cast<const void*>(data.As<Napi::Float32Array>().Data())
                           : static_cast<const void*>(data.As<Napi::Uint16Array>().Data());
  return {lora_type, bytes};
}

int64_t checked_rank(const Napi::Object& segment) {
  const int64_t rank = integer(segment.Get("rank"), "rank");
  if (rank < 1 || rank > kRankMax) throw Error("bad_argument", "rank: expected a whole number from 1 to 256.");
  return rank;
}

// ({isa, threads}, x [tokens, in], in, segments {tokenBegin, tokenEnd, rank, type, data: A [rank, in]}, v)
Napi::Value shrink(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto device = device_from(object(info[0], "options"));
    const auto x = floats(info[1], "x");
    const int64_t in = integer(info[2], "inFeatures");
    const auto list = array(info[3], "segments");
    std::list<PackedFactor> factors;
    std::vector<ShrinkSegment> segments;
    int64_t v_begin = 0;
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const auto segment = object(list.Get(i), "segments");
      const int64_t rank = checked_rank(segment);
      const RawFactor raw = raw_factor(segment, rank * in);
      PackedFactor& factor = factors.emplace_back(packed_lora_a_bytes(raw.type, rank, in));
      pack_lora_a(raw.type, raw.data, rank, in, factor.data());
      const auto [begin, end] = token_range(segment);
      segments.push_back({begin, end, {factor.data(), raw.type, static_cast<int32_t>(rank), static_cast<int32_t>(in)}, v_begin});
      v_begin += (end - begin) * rank;
    }
    sgmv_shrink(*device, x, in, segments, floats(info[4], "v"));
    return info.Env().Undefined();
  });
}

// ({isa, threads}, v, out, segments {tokenBegin, tokenEnd, rank, scale, type, data: B [out, rank]}, y [tokens, out])
Napi::Value expand(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto device = device_from(object(info[0], "options"));
    const int64_t out = integer(info[2], "outFeatures");
    const auto list = array(info[3], "segments");
    std::list<PackedFactor> factors;
    std::vector<ExpandSegment> segments;
    int64_t v_begin = 0;
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const auto segment = object(list.Get(i), "segments");
      const int64_t rank = checked_rank(segment);
      const RawFactor raw = raw_factor(segment, rank * out);
      PackedFactor& factor = factors.emplace_back(packed_lora_b_bytes(raw.type, rank, out));
      pack_lora_b(raw.type, raw.data, out, rank, 0, factor.data());
      const auto [begin, end] = token_range(segment);
      const Napi::Value scale = segment.Get("scale");
      if (!scale.IsNumber()) throw Error("bad_argument", "scale: expected a number.");
      segments.push_back({begin, end, {factor.data(), raw.type, static_cast<int32_t>(rank), static_cast<int32_t>(out)},
                          scale.As<Napi::Number>().FloatValue(), v_begin, rank, 0});
      v_begin += (end - begin) * rank;
    }
    sgmv_expand(*device, floats(info[1], "v"), segments, floats(info[4], "y"), out);
    return info.Env().Undefined();
  });
}

// () → {cores, isas}: what this process may use, best instruction set first.
Napi::Value cpu_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::vector<std::string> isas = available_isas();
  Napi::Array names = Napi::Array::New(env, isas.size());
  for (uint32_t i = 0; i < isas.size(); ++i) names.Set(i, isas[i]);
  Napi::Object object = Napi::Object::New(env);
  object.Set("cores", available_cores());
  object.Set("isas", names);
  return object;
}

}  // namespace

void export_ops(Napi::Env env, Napi::Object exports) {
  exports.Set("sgmvShrink", Napi::Function::New(env, shrink, "sgmvShrink"));
  exports.Set("sgmvExpand", Napi::Function::New(env, expand, "sgmvExpand"));
  exports.Set("cpuInfo", Napi::Function::New(env, cpu_info, "cpuInfo"));
}

}  // namespace sgmv::binding
