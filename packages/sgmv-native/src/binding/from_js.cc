#include "from_js.h"

#include "type_names.h"

namespace sgmv::binding {
namespace {

double number(const Napi::Object& object, const char* key, double fallback) {
  const Napi::Value value = object.Get(key);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : fallback;
}

std::optional<int32_t> optional_number(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  return value.IsNumber() ? std::optional(value.As<Napi::Number>().Int32Value()) : std::nullopt;
}

std::string text(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

std::vector<int32_t> tokens(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsTypedArray()) return {};
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::vector<std::vector<int32_t>> token_lists(const Napi::Object& object, const char* key) {
  const auto array = object.Get(key).As<Napi::Array>();
  std::vector<std::vector<int32_t>> lists;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const auto list = array.Get(i).As<Napi::Int32Array>();
    lists.emplace_back(list.Data(), list.Data() + list.ElementLength());
  }
  return lists;
}

// Two arrays of one length: the token ids and what is added to their logits.
std::vector<LogitBias> logit_bias_from(const Napi::Object& object) {
  const auto biased = object.Get("biasedTokens").As<Napi::Int32Array>();
  const auto biases = object.Get("biases").As<Napi::Float32Array>();
  if (biases.ElementLength() != biased.ElementLength()) throw Error("bad_argument", "sampling.logitBias: the packed table is broken.");
  std::vector<LogitBias> all(biased.ElementLength());
  for (size_t i = 0; i < all.size(); ++i) all[i] = {biased[i], biases[i]};
  return all;
}

std::vector<std::string> strings(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  std::vector<std::string> all;
  if (!value.IsArray()) return all;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) all.push_back(array.Get(i).As<Napi::String>().Utf8Value());
  return all;
}

// {bytes, ends, special}: the bytes of token i are bytes[ends[i - 1], ends[i]); special tokens have none.
Vocabulary vocabulary_from(const Napi::Object& packed) {
  const auto bytes = packed.Get("bytes").As<Napi::Uint8Array>();
  const auto ends = packed.Get("ends").As<Napi::Uint32Array>();
  const auto special = packed.Get("special").As<Napi::Uint8Array>();
  Vocabulary vocabulary(ends.ElementLength());
  size_t begin = 0;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const size_t end = ends[i];
    if (end < begin || end > bytes.ElementLength()) throw Error("bad_argument", "vocabulary: the packed table is broken.");
    if (!special[i]) vocabulary[i] = std::string(reinterpret_cast<const char*>(bytes.Data()) + begin, end - begin);
    begin = end;
  }
  return vocabulary;
}

SamplingOptions sampling_from(const Napi::Object& object) {
  SamplingOptions sampling;
  sampling.temperature = static_cast<float>(number(object, "temperature", 0));
  sampling.top_k = static_cast<int32_t>(number(object, "topK", 0));
  sampling.top_p = static_cast<float>(number(object, "topP", 1));
  sampling.min_p = static_cast<float>(number(object, "minP", 0));
  sampling.seed = static_cast<uint32_t>(number(object, "seed", 0));
  sampling.repetition_penalty = static_cast<float>(number(object, "repetitionPenalty", 1));
  sampling.frequency_penalty = static_cast<float>(number(object, "frequencyPenalty", 0));
  sampling.presence_penalty = static_cast<float>(number(object, "presencePenalty", 0));
  sampling.logit_bias = logit_bias_from(object);
  sampling.min_tokens = static_cast<int32_t>(number(object, "minTokens", 0));
  return sampling;
}

LogitsMode logits_mode_from(const std::string& name) {
  if (name == "last") return LogitsMode::last;
  return name == "prompt" ? LogitsMode::prompt : LogitsMode::none;
}

}  // namespace

EngineOptions engine_options_from(const Napi::Object& object) {
  EngineOptions options;
  options.kv_block_size = static_cast<int32_t>(number(object, "kvBlockSize", options.kv_block_size));
  options.memory_bytes = static_cast<size_t>(number(object, "memoryBytes", 0));
  options.kv_bytes = static_cast<size_t>(number(object, "kvBytes", 0));
  options.adapter_bytes = static_cast<size_t>(number(object, "adapterBytes", 0));
  options.max_batch = static_cast<int32_t>(number(object, "maxBatch", options.max_batch));
  options.max_step_tokens = static_cast<int32_t>(number(object, "maxStepTokens", options.max_step_tokens));
  options.draft_tokens = optional_number(object, "draftTokens");
  if (object.Get("prefixCache").IsBoolean()) options.prefix_cache = object.Get("prefixCache").ToBoolean();
  const Napi::Value vocabulary = object.Get("vocabulary");
  if (vocabulary.IsObject()) options.vocabulary = vocabulary_from(vocabulary.As<Napi::Object>());
  return options;
}

ModelOptions model_options_from(const Napi::Object& object) {
  ModelOptions options;
  options.threads = static_cast<int32_t>(number(object, "threads", 0));
  options.isa = text(object, "isa");
  const std::string adapters = text(object, "adapterType");
  options.weights = type_named(kWeightTypes, text(object, "weightType"));
  options.adapters_as_stored = adapters == "stored";
  options.adapters = type_named(kLoraTypes, adapters);
  options.kv = type_named(kKvTypes, text(object, "kvType"));
  options.device = text(object, "device");
  options.batch_invariant = object.Get("batchInvariant").ToBoolean();
  options.adapter_host_bytes = static_cast<size_t>(number(object, "adapterHostBytes", static_cast<double>(options.adapter_host_bytes)));
  return options;
}

Request request_from(const Napi::Object& object) {
  Request request;
  request.id = text(object, "id");
  request.prompt_tokens = tokens(object, "promptTokens");
  request.resume_tokens = token_lists(object, "resumeTokens");
  request.prediction_tokens = tokens(object, "predictionTokens");
  if (object.Get("adapter").IsString()) request.adapter = text(object, "adapter");
  request.cache_salt = text(object, "cacheSalt");
  request.choices = static_cast<int32_t>(number(object, "n", 1));
  request.sampling = sampling_from(object.Get("sampling").As<Napi::Object>());
  request.max_tokens = static_cast<int32_t>(number(object, "maxTokens", 0));
  request.stop = strings(object, "stop");
  request.stop_tokens = tokens(object, "stopTokens");
  request.silent_tokens = tokens(object, "silentTokens");
  request.ignore_eos = object.Get("ignoreEos").ToBoolean().Value();
  request.logprobs = optional_number(object, "logprobs");
  request.prompt_logprobs = optional_number(object, "promptLogprobs");
  request.constrained = object.Get("constrained").ToBoolean().Value();
  request.logits = logits_mode_from(text(object, "logits"));
  return request;
}

}  // namespace sgmv::binding
