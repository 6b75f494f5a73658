#include "to_js.h"

#include <cstring>

#include "type_names.h"

namespace sgmv::binding {
namespace {

template <typename Number>
Napi::Array numbers(Napi::Env env, const std::vector<Number>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) array.Set(i, Napi::Number::New(env, values[i]));
  return array;
}

Napi::Float32Array floats(Napi::Env env, const std::vector<float>& values) {
  Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(float));
  return array;
}

Napi::Object logprob_to_js(Napi::Env env, const TokenLogprob& value) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("token", value.token);
  object.Set("logprob", value.logprob);
  return object;
}

Napi::Array logprobs_to_js(Napi::Env env, const std::vector<TokenLogprobs>& all) {
  Napi::Array array = Napi::Array::New(env, all.size());
  for (uint32_t i = 0; i < all.size(); ++i) {
    Napi::Array top = Napi::Array::New(env, all[i].top.size());
    for (uint32_t j = 0; j < all[i].top.size(); ++j) top.Set(j, logprob_to_js(env, all[i].top[j]));
    Napi::Object object = logprob_to_js(env, all[i].chosen);
    object.Set("top", top);
    array.Set(i, object);
  }
  return array;
}

const char* event_type(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::prompt: return "prompt";
    case Event::Kind::tokens: return "tokens";
    case Event::Kind::draft: return "draft";
    case Event::Kind::end: return "end";
  }
  return "end";
}

void add_end(Napi::Env env, Napi::Object& object, const Event& event) {
  object.Set("text", event.text);
  object.Set("finishReason", finish_reason_name(event.finish_reason));
  if (!event.stop.empty()) object.Set("stop", event.stop);
  object.Set("promptTokens", event.prompt_tokens);
  object.Set("completionTokens", event.completion_tokens);
  object.Set("cachedTokens", event.cached_tokens);
  object.Set("predictedTokens", event.predicted_tokens);
  if (event.finish_reason != FinishReason::error) return;
  Napi::Object error = Napi::Object::New(env);
  error.Set("code", event.error_code);
  error.Set("message", event.error_message);
  object.Set("error", error);
}

Napi::Object event_to_js(Napi::Env env, const Event& event) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("type", event_type(event.kind));
  object.Set("id", event.id);
  if (event.kind != Event::Kind::prompt) object.Set("choice", event.choice);
  if (event.kind == Event::Kind::end) {
    add_end(env, object, event);
    return object;
  }
  if (event.kind != Event::Kind::prompt) object.Set("tokens", numbers(env, event.tokens));
  if (event.kind == Event::Kind::tokens) object.Set("text", event.text);
  if (!event.logprobs.empty()) object.Set("logprobs", logprobs_to_js(env, event.logprobs));
  if (!event.logits.empty()) object.Set("logits", floats(env, event.logits));
  return object;
}

Napi::Object problem_to_js(Napi::Env env, const AdapterProblem& problem) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("code", problem.code);
  object.Set("file", problem.file);
  object.Set("path", problem.path.empty() ? env.Null() : Napi::Value(Napi::String::New(env, problem.path)));
  object.Set("found", problem.found);
  object.Set("expected", problem.expected);
  object.Set("message", problem.message);
  return object;
}

Napi::Object summary_to_js(Napi::Env env, const AdapterSummary& summary) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array targets = Napi::Array::New(env, summary.target_modules.size());
  for (uint32_t i = 0; i < summary.target_modules.size(); ++i) targets.Set(i, summary.target_modules[i]);
  object.Set("rankMin", summary.rank_min);
  object.Set("rankMax", summary.rank_max);
  object.Set("targetModules", targets);
  object.Set("layers", summary.layers);
  object.Set("parameters", static_cast<double>(summary.parameters));
  object.Set("dtype", summary.dtype);
  object.Set("rslora", Napi::Boolean::New(env, summary.rslora));
  object.Set("dora", Napi::Boolean::New(env, summary.dora));
  object.Set("trainedTokens", summary.trained_tokens);
  object.Set("invocationTokens", numbers(env, summary.invocation_tokens));
  object.Set("residentBytes", static_cast<double>(summary.resident_bytes));
  return object;
}

Napi::Object distribution_to_js(Napi::Env env, const Distribution& distribution) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array bounds = Napi::Array::New(env, distribution.bounds.size());
  Napi::Array counts = Napi::Array::New(env, distribution.counts.size());
  for (uint32_t i = 0; i < distribution.bounds.size(); ++i) bounds.Set(i, distribution.bounds[i]);
  for (uint32_t i = 0; i < distribution.counts.size(); ++i) counts.Set(i, static_cast<double>(distribution.counts[i]));
  object.Set("bounds", bounds);
  object.Set("counts", counts);
  object.Set("sum", distribution.sum);
  return object;
}

Napi::Object experts_to_js(Napi::Env env, const ExpertsConfig& experts) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("count", experts.count);
  object.Set("perToken", experts.per_token);
  object.Set("size", experts.size);
  return object;
}

}  // namespace

Napi::Array events_to_js(Napi::Env env, const std::vector<Event>& events) {
  Napi::Array array = Napi::Array::New(env, events.size());
  for (uint32_t i = 0; i < events.size(); ++i) array.Set(i, event_to_js(env, events[i]));
  return array;
}

Napi::Object stats_to_js(Napi::Env env, const EngineStats& stats, const std::string& device) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("device", device);
  object.Set("running", stats.running);
  object.Set("waiting", stats.waiting);
  object.Set("kvBlockSize", stats.kv_block_size);
  object.Set("kvBlocksTotal", stats.kv_blocks_total);
  object.Set("kvBlocksFree", stats.kv_blocks_free);
  object.Set("kvBlocksCached", stats.kv_blocks_cached);
  object.Set("prefixQueriedTokens", static_cast<double>(stats.prefix_queried_tokens));
  object.Set("prefixHitTokens", static_cast<double>(stats.prefix_hit_tokens));
  object.Set("adaptersResident", stats.adapters_resident);
  object.Set("adapterBytes", static_cast<double>(stats.adapter_bytes));
  object.Set("adapterBytesMax", static_cast<double>(stats.adapter_bytes_max));
  object.Set("kvBytes", static_cast<double>(stats.kv_bytes));
  object.Set("memoryBytesMax", static_cast<double>(stats.memory_bytes_max));
  object.Set("stepMs", stats.step_ms);
  object.Set("queueMs", stats.queue_ms);
  object.Set("ttftMs", stats.ttft_ms);
  object.Set("steps", static_cast<double>(stats.steps));
  object.Set("tokensGenerated", static_cast<double>(stats.tokens_generated));
  object.Set("draftedTokens", static_cast<double>(stats.drafted_tokens));
  object.Set("acceptedTokens", static_cast<double>(stats.accepted_tokens));
  object.Set("preemptions", static_cast<double>(stats.preemptions));
  object.Set("stepSeconds", distribution_to_js(env, stats.step_seconds));
  object.Set("stepSequences", distribution_to_js(env, stats.step_sequences));
  object.Set("stepTokens", distribution_to_js(env, stats.step_tokens));
  object.Set("stepSegments", distribution_to_js(env, stats.step_segments));
  object.Set("adapterLoadSeconds", distribution_to_js(env, stats.adapter_load_seconds));
  object.Set("adapterLoadsFailed", static_cast<double>(stats.adapter_loads_failed));
  object.Set("adaptersEvicted", static_cast<double>(stats.adapters_evicted));
  return object;
}

Napi::Array adapters_to_js(Napi::Env env, const std::vector<AdapterInfo>& adapters) {
  Napi::Array array = Napi::Array::New(env, adapters.size());
  for (uint32_t i = 0; i < adapters.size(); ++i) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", adapters[i].name);
    object.Set("bytes", static_cast<double>(adapters[i].bytes));
    object.Set("pinned", Napi::Boolean::New(env, adapters[i].pinned));
    array.Set(i, object);
  }
  return array;
}

Napi::Object config_to_js(Napi::Env env, const ModelConfig& config) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("modelType", config.model_type);
  object.Set("vocabSize", config.vocab_size);
  object.Set("hiddenSize", config.hidden_size);
  object.Set("intermediateSize", config.intermediate_size);
  object.Set("layers", config.layers);
  object.Set("heads", config.heads);
  object.Set("kvHeads", config.kv_heads);
  object.Set("headDim", config.head_dim);
  Napi::Value full = env.Null();
  if (config.full_kv.heads > 0) {
    Napi::Object heads = Napi::Object::New(env);
    heads.Set("kvHeads", config.full_kv.heads);
    heads.Set("headDim", config.full_kv.dim);
    full = heads;
  }
  object.Set("fullAttention", full);
  object.Set("latentWidth", config.is_latent() ? Napi::Value(Napi::Number::New(env, config.latent.kv_a_width())) : env.Null());
  object.Set("maxPositions", config.max_positions);
  object.Set("endTokens", numbers(env, config.end_tokens));
  object.Set("bosToken", config.bos_token < 0 ? env.Null() : Napi::Value(Napi::Number::New(env, config.bos_token)));
  object.Set("experts", config.experts.count > 0 ? Napi::Value(experts_to_js(env, config.experts)) : env.Null());
  return object;
}

Napi::Object model_to_js(Napi::Env env, const Model& model) {
  const ModelConfig& config = model.config();
  const NumberTypes types = model.number_types();
  const double kv_number = types.kv == KvType::f32 ? 4 : 2;
  Napi::Object object = config_to_js(env, config);
  object.Set("weightBytes", static_cast<double>(model.weight_bytes()));
  object.Set("weightType", name_of(kWeightTypes, types.weights));
  object.Set("adapterType", types.adapters ? name_of(kLoraTypes, *types.adapters) : "stored");
  object.Set("kvType", name_of(kKvTypes, types.kv));
  object.Set("batchInvariant", Napi::Boolean::New(env, model.batch_invariant()));
  object.Set("kvBytesPerToken", static_cast<double>(config.kv_numbers()) * kv_number);
  return object;
}

Napi::Object devices_to_js(Napi::Env env, const std::vector<DeviceInfo>& devices, const std::string& why_no_cuda) {
  Napi::Array list = Napi::Array::New(env, devices.size());
  for (uint32_t i = 0; i < devices.size(); ++i) {
    Napi::Object device = Napi::Object::New(env);
    device.Set("name", devices[i].name);
    device.Set("description", devices[i].description);
    device.Set("memoryBytes", static_cast<double>(devices[i].memory_bytes));
    list.Set(i, device);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("devices", list);
  object.Set("whyNoCuda", why_no_cuda);
  return object;
}

Napi::Object report_to_js(Napi::Env env, const AdapterReport& report) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array problems = Napi::Array::New(env, report.problems.size());
  for (uint32_t i = 0; i < report.problems.size(); ++i) problems.Set(i, problem_to_js(env, report.problems[i]));
  object.Set("ok", Napi::Boolean::New(env, report.problems.empty()));
  object.Set("problems", problems);
  object.Set("summary", report.has_summary ? Napi::Value(summary_to_js(env, report.summary)) : env.Null());
  return object;
}

}  // namespace sgmv::binding
