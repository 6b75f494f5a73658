// Threads: callers put requests and cancellations into the inbox; the engine's thread empties it between steps. The
// adapter table is shared by both and has threads of its own.
#include "sgmv/engine.h"

#include <algorithm>

#include "adapter_table.h"
#include "engine_options.h"
#include "engine_thread.h"
#include "inbox.h"
#include "request_check.h"

namespace sgmv {

class Engine::Impl {
 public:
  Impl(std::unique_ptr<Model> model, EngineOptions options, EventSink sink)
      : model_(std::move(model)),
        memory_(make_memory(*model_, options)),
        limits_{model_->config().max_positions, memory_.positions_max},
        context_{Spelling(std::move(options.vocabulary)), model_->config().end_tokens, model_->config().vocab_size,
                 std::min(limits_.max_positions, limits_.cache_positions), model_->config().short_context_max()},
        adapters_([this](const std::filesystem::path& folder) { return model_->load_adapter(folder); }, memory_.bounds,
                  [this] { inbox_.wake(); }),
        thread_(*model_, *memory_.cache, adapters_, in_batches_of(memory_.max_batch, std::move(options)), inbox_, std::move(sink)) {}

  ~Impl() { close(); }

  const Model& model() const { return *model_; }
  AdapterTable& adapters() { return adapters_; }

  void submit(Request request) {
    check_request(request, context_, limits_);
    inbox_.check_open();  // before its adapter seems unknown
    const AdapterPin pin = request.adapter ? adapters_.pin(*request.adapter) : AdapterPin();
    inbox_.submit(make_choices(std::move(request), pin, context_));
  }

  void cancel(const std::string& id) { inbox_.cancel(id); }

  void provide_mask(ProvidedMask provided) {
    const size_t expected = mask_words(context_.vocab_size);
    if (provided.mask.size() != expected) {
      throw Error("bad_argument", "mask: found " + std::to_string(provided.mask.size()) + " words; expected " +
                                      std::to_string(expected) + ", one bit per token.");
    }
    inbox_.provide(std::move(provided));
  }

  void fail(const std::string& id, const Error& cause) { inbox_.fail(id, std::make_exception_ptr(cause)); }

  EngineStats stats() const {
    EngineStats stats = thread_.stats();
    stats.waiting += inbox_.waiting();
    stats.adapters_resident = static_cast<int32_t>(adapters_.list().size());
    stats.adapter_bytes = adapters_.bytes();
    stats.adapter_bytes_max = adapters_.bounds().adapters_max;
    const int32_t more = blocks_to_come(stats.kv_blocks_total);
    stats.kv_blocks_total += more;
    stats.kv_blocks_free += more;
    stats.kv_bytes = adapters_.block_bytes() + memory_.state_bytes;
    stats.memory_bytes_max = adapters_.bounds().total + memory_.state_bytes;
    const AdapterTraffic traffic = adapters_.traffic();
    stats.adapter_load_seconds = traffic.load_seconds;
    stats.adapter_loads_failed = traffic.loads_failed;
    stats.adapters_evicted = traffic.evicted;
    return stats;
  }

  void close() {
    inbox_.close();
    thread_.join();
    adapters_.close();
  }

 private:
  static EngineOptions in_batches_of(int32_t sequences, EngineOptions options) {
    options.max_batch = sequences;
    return options;
  }

  // Beyond those that have memory: blocks for which there is memory that nobody has.
  int32_t blocks_to_come(int32_t committed) const {
    const KvCache& cache = *memory_.cache;
    const size_t most = adapters_.unused() / cache.extent_bytes() * static_cast<size_t>(cache.extent_blocks());
    return static_cast<int32_t>(std::min(most, static_cast<size_t>(cache.block_count() - committed)));
  }

  const std::unique_ptr<Model> model_;
  const EngineMemory memory_;
  const RequestLimits limits_;
  const SequenceContext context_;
  AdapterTable adapters_;  // outlives the pins in sequences
  Inbox inbox_;
  EngineThread thread_;
};

Engine::Engine(std::unique_ptr<Model> model, EngineOptions options, EventSink sink) {
  check_options(options);
  impl_ = std::make_unique<Impl>(std::move(model), std::move(options), std::move(sink));
}

Engine::~Engine() = default;

const Model& Engine::model() const { return impl_->model(); }
void Engine::submit(Request request) { impl_->submit(std::move(request)); }
void Engine::cancel(const std::string& id) { impl_->cancel(id); }
void Engine::provide_mask(const std::string& id, int32_t choice, int32_t index, std::vector<uint32_t> words,
                          std::vector<int32_t> after, std::string forced) {
  impl_->provide_mask({id, choice, index, std::move(words), std::move(after), std::move(forced)});
}
void Engine::fail(const std::string& id, const Error& cause) { impl_->fail(id, cause); }
void Engine::load_adapter(const std::string& name, const std::filesystem::path& folder, LoadCallback done,
                          LoadPriority priority) {
  impl_->adapters().load(name, folder, std::move(done), priority);
}
bool Engine::unload_adapter(const std::string& name) { return impl_->adapters().unload(name); }
std::vector<AdapterInfo> Engine::adapters() const { return impl_->adapters().list(); }
EngineStats Engine::stats() const { return impl_->stats(); }
void Engine::close() { impl_->close(); }

}  // namespace sgmv
