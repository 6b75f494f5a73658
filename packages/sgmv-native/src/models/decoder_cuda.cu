#include "models/decoder_cuda.h"

#include <algorithm>
#include <utility>

#include "cuda/cuda_backend.h"
#include "models/batch_check.h"
#include "models/config_hf.h"
#include "sgmv/error.h"

namespace sgmv::cuda {
namespace {

constexpr size_t kGraphsMax = 256;  // each keeps some memory of the device
static_assert(cuda::kExpertsMax >= sgmv::kExpertsMax && cuda::kExpertGroupsMax >= sgmv::kExpertGroupsMax, "what a configuration may say is what the kernels take");

// What goes with inputs of this type.
NumberTypes types_of(Number inputs) {
  switch (inputs) {
    case Number::f32: return {WeightType::f32, LoraType::f32, KvType::f32};
    case Number::f16: return {WeightType::f16, LoraType::f16, KvType::f16};
    case Number::bf16: break;
  }
  return {WeightType::bf16, LoraType::bf16, KvType::bf16};
}

}  // namespace

DecoderCuda::DecoderCuda(ModelConfig config, DecoderWeightsCuda weights, std::shared_ptr<Context> context, std::unique_ptr<CublasLt> blas, LoraFormat adapters,
                         size_t adapter_host_bytes)
    : config_(std::move(config)), context_(std::move(context)), weights_(std::move(weights)), type_(weights_.type), lora_format_(adapters), blas_(std::move(blas)),
      images_(adapter_host_bytes), inputs_(config_.state_layers() > 0), rope_(config_.rope, config_.full_kv.dim > 0 ? config_.full_kv.dim : config_.head_dim) {
  if (config_.sliding_rope) sliding_rope_.emplace(*config_.sliding_rope, config_.head_dim);
  if (config_.rope.long_factors.empty()) return;
  RopeConfig longer = config_.rope;
  longer.factors = longer.long_factors;
  long_rope_.emplace(longer, config_.head_dim);
}

DecoderCuda::~DecoderCuda() { abandon(); }

NumberTypes DecoderCuda::number_types() const {
  NumberTypes types = types_of(type_);
  if (lora_format_ == LoraFormat::q8) types.adapters = LoraType::i8;
  const DecoderLayerCuda& first = weights_.layers[0];
  for (const BiasedMatrix* any : {&first.qkv, &first.state_in, &first.down})
    if (any->matrix.data.size() > 0 && any->matrix.weights.format == LinearWeights::Format::e4m3) types.weights = WeightType::fp8;
  return types;
}

std::optional<size_t> DecoderCuda::device_bytes_free() const {
  context_->use();
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for the device's free memory");
  return free;
}

// Layers of several shapes are not parted (cuda_kv_cache.h).
bool DecoderCuda::has_kv_extents() const { return config_.full_kv.heads == 0 && DeviceRange::granularity(context_->device()) > 0; }

std::unique_ptr<KvCache> DecoderCuda::make_kv_cache(int32_t block_count, int32_t block_size, KvMemory memory, int32_t state_count) {
  return std::make_unique<CudaKvCache>(context_, type_, config_.kv_shapes(), block_count, block_size, memory, config_.states(state_count));
}

namespace {

// Changes when the files do. Empty: they cannot be looked at.
std::string files_key(const std::filesystem::path& folder) {
  std::error_code error;
  std::string key = std::filesystem::weakly_canonical(folder, error).string();
  for (const char* name : {kAdapterConfigFile, kAdapterWeightsFile}) {
    const auto size = std::filesystem::file_size(folder / name, error);
    if (error) return {};
    const auto time = std::filesystem::last_write_time(folder / name, error).time_since_epoch().count();
    if (error) return {};
    key += "|" + std::to_string(size) + "|" + std::to_string(time);
  }
  return key;
}

}  // namespace

std::shared_ptr<const Adapter> DecoderCuda::load_adapter(const std::filesystem::path& folder) {
  context_->use();
  const std::string key = files_key(folder);
  std::shared_ptr<const LoraImage> image = key.empty() ? nullptr : images_.find(key);
  if (!image) {
    image = make_lora_image(folder, config_, type_, lora_format_, DecoderRowsCuda(weights_, config_));
    // Only if nobody changed the files meanwhile.
    if (!key.empty() && files_key(folder) == key) images_.put(key, image);
  }
  return std::make_shared<LoraAdapterCuda>(context_, image);
}

void DecoderCuda::forward(const Batch& batch, KvCache& cache, std::span<float> logits) {
  check_results(batch.logit_rows.size(), batch.draws.size(), config_, logits.size(), 0);
  start(batch, cache);
  finish(logits, {});
}

void DecoderCuda::start(const Batch& batch, KvCache& cache) {
  abandon();
  begin(batch, cache);
}

void DecoderCuda::start_next(const Batch& batch, KvCache& cache) {
  if (under_way_ == 1 && steps_[older_].logit_rows == 0) return begin(batch, cache);
  abandon();
  throw Error("bad_argument", "start_next: found no step under way, or two, or one whose logits are wanted; expected one that only draws");
}

void DecoderCuda::begin(const Batch& batch, KvCache& any_cache) try {
  auto* cache = dynamic_cast<CudaKvCache*>(&any_cache);
  if (cache == nullptr) throw Error("bad_argument", "cache: found one of another device");
  check_step(batch, *cache, under_way_ == 0 ? 0 : steps_[older_].draw_rows);
  context_->use();
  Started& step = steps_[(older_ + under_way_++) % 2];
  step.draw_rows = static_cast<int32_t>(batch.draws.size());
  step.logit_rows = static_cast<int32_t>(batch.logit_rows.size());
  for (const Segment& segment : batch.segments)
    if (segment.adapter != nullptr) step.adapters.push_back(static_cast<const LoraAdapterCuda*>(segment.adapter)->shared_from_this());
  if (!batch.tokens.empty()) {
    const Shape shape = shape_of(batch, *cache);
    int64_t table_entries = 0;
    for (const SequenceSlice& sequence : batch.sequences) table_entries += static_cast<int64_t>(sequence.block_table.size());
    reserve(shape, table_entries);
    inputs_.turn();
    fill(batch, *cache, shape);
    inputs_.upload(context_->compute, table_entries);
    launch_step(shape, *cache);
  }
  if (step.draw_rows > 0) {
    step.drawn.reserve(batch.draws.size());
    check(cudaMemcpyAsync(step.drawn.data(), drawn_.data(), batch.draws.size() * sizeof(int32_t), cudaMemcpyDeviceToHost, context_->compute),
          "copying tokens from the device");
  }
  step.done.record(context_->compute);
} catch (...) {
  abandon();
  throw;
}

void DecoderCuda::launch_step(const Shape& shape, const CudaKvCache& cache) {
  if (graphs_.size() > kGraphsMax) {
    context_->compute.synchronize();
    graphs_.clear();
  }
  const auto [known, first] = shape.cache_id == 0 ? std::pair(graphs_.end(), true) : graphs_.try_emplace(shape);
  if (first) {
    try {
      return issue(shape, cache);
    } catch (...) {
      if (known != graphs_.end()) graphs_.erase(known);  // it is to be issued once before it is recorded
      throw;
    }
  }
  if (known->second.empty()) known->second = Graph::record(context_->compute, [&] { issue(shape, cache); });
  known->second.launch(context_->compute);
}

void DecoderCuda::finish(std::span<float> logits, std::span<int32_t> drawn) try {
  if (under_way_ == 0) throw Error("bad_argument", "finish: found no step under way");
  Started& step = steps_[older_];
  check_results(static_cast<size_t>(step.logit_rows), static_cast<size_t>(step.draw_rows), config_, logits.size(), drawn.size());
  context_->use();
  if (logits.empty()) {
    step.done.synchronize();
  } else {  // it is the only one
    const float* from = logits_.data() + int64_t{step.draw_rows} * config_.vocab_size;
    check(cudaMemcpyAsync(logits.data(), from, logits.size_bytes(), cudaMemcpyDeviceToHost, context_->compute), "copying logits from the device");
    context_->compute.synchronize();
  }
  std::copy_n(step.drawn.data(), drawn.size(), drawn.begin());
  step.adapters.clear();
  older_ = 1 - older_;
  --under_way_;
} catch (...) {
  abandon();
  throw;
}

// What was issued still reads its inputs and its adapters.
void DecoderCuda::abandon() noexcept {
  if (under_way_ == 0) return;
  if (cudaSetDevice(context_->device()) == cudaSuccess) cudaStreamSynchronize(context_->compute);
  for (Started& step : steps_) step.adapters.clear();
  under_way_ = 0;
}

}  // namespace sgmv::cuda

namespace sgmv {

std::vector<DeviceInfo> cuda_devices(std::string& why_none) {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess || count == 0) {
    cudaGetLastError();
    why_none = std::string("no CUDA device: ") + (code == cudaSuccess ? "the driver has none" : cudaGetErrorString(code));
    return {};
  }
  std::vector<DeviceInfo> devices;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties;
    cuda::check(cudaGetDeviceProperties(&properties, i), "asking for the device's properties");
    devices.push_back({"cuda:" + std::to_string(i), std::string(properties.name) + ", compute capability " + std::to_string(properties.major) + "." + std::to_string(properties.minor),
                       properties.totalGlobalMem});
  }
  return devices;
}

namespace {

cuda::Number inputs_of(WeightType weights) {
  switch (weights) {
    case WeightType::f32: return cuda::Number::f32;
    case WeightType::f16: return cuda::Number::f16;
    case WeightType::i8: throw Error("bad_argument", "weightType: found int8, expected f32, f16, bf16 or fp8 on CUDA");
    default: return cuda::Number::bf16;
  }
}

}  // namespace

std::unique_ptr<Model> load_cuda_model(const std::filesystem::path& weights, ModelConfig config, const ModelOptions& options) {
  const WeightType type = options.weights.value_or(WeightType::bf16);
  const cuda::Number number = inputs_of(type);
  const char* name = number == cuda::Number::f32 ? "f32" : number == cuda::Number::f16 ? "f16" : "bf16";
  const NumberTypes types = cuda::types_of(number);
  const auto refuse = [&](const char* field, const std::string& expected) {
    throw Error("bad_argument", std::string(field) + ": found another type than " + expected + ", which goes with the weights on CUDA");
  };
  const bool q8_adapters = options.adapters == LoraType::i8 && number != cuda::Number::f32;
  if (options.adapters_as_stored || (options.adapters && !q8_adapters && *options.adapters != *types.adapters))
    refuse("adapterType", number == cuda::Number::f32 ? name : std::string(name) + " or int8");
  if (options.kv && *options.kv != types.kv) refuse("kvType", name);
  if (const LatentConfig& latent = config.latent; config.is_latent()) {
    if (latent.kv_rank > cuda::kHeadDimMax || latent.kv_rank % 2 != 0)
      throw Error("model_unsupported", "kv_lora_rank: found " + std::to_string(latent.kv_rank) + ", expected an even number of at most " + std::to_string(cuda::kHeadDimMax) + " on CUDA");
    if (latent.kv_a_width() > cuda::kHeadDimMax + cuda::kKeyTailMax)
      throw Error("model_unsupported", "qk_rope_head_dim: found " + std::to_string(latent.rope_dim) + ", expected kv_lora_rank + qk_rope_head_dim of at most " +
                                           std::to_string(cuda::kHeadDimMax + cuda::kKeyTailMax) + " on CUDA");
  } else if (config.head_dim_max() > cuda::kHeadDimMax || config.head_dim % 2 != 0)
    throw Error("model_unsupported", "head_dim: found " + std::to_string(config.head_dim_max()) + ", expected an even number of at most " + std::to_string(cuda::kHeadDimMax) + " on CUDA");
  const bool mamba = config.linear.is_mamba();
  const std::pair<const char*, int32_t> of_states[] = {{mamba ? "mamba_d_state" : "linear_key_head_dim", config.linear.key_dim}, {mamba ? "mamba_d_head" : "linear_value_head_dim", config.linear.value_dim}};
  for (const auto& [field, dim] : of_states)
    if (dim > cuda::kStateHeadDimMax && config.linear.has_matrices()) throw Error("model_unsupported", std::string(field) + ": found " + std::to_string(dim) + ", expected at most " + std::to_string(cuda::kStateHeadDimMax) + " on CUDA");
  if (config.hidden_size > cuda::kNormWidthMax || (config.hidden_size > 8192 && config.hidden_size % 4 != 0))
    throw Error("model_unsupported", "hidden_size: found " + std::to_string(config.hidden_size) + ", expected at most " + std::to_string(cuda::kNormWidthMax) +
                                         " and above 8192 a multiple of 4 on CUDA");
  auto context = std::make_shared<cuda::Context>(std::stoi(options.device.substr(options.device.find(':') + 1)));
  // Before the weights, which take their time: it may be that there is none.
  auto blas = options.batch_invariant ? nullptr : std::make_unique<cuda::CublasLt>();
  cuda::DecoderWeightsCuda loaded = cuda::load_decoder_weights_cuda(weights, config, number, type == WeightType::fp8);
  return std::make_unique<cuda::DecoderCuda>(std::move(config), std::move(loaded), std::move(context), std::move(blas), q8_adapters ? cuda::LoraFormat::q8 : cuda::LoraFormat::of_inputs,
                                             options.adapter_host_bytes);
}

}  // namespace sgmv
