#include "fake_model.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <set>
#include <stdexcept>

#include "allocation_faults.h"
#include "sgmv/error.h"
#include "sgmv/sampling.h"

namespace sgmv::test {
namespace {

constexpr int32_t kUnwritten = -1;

class FakeCache final : public KvCache {
 public:
  FakeCache(int32_t block_count, int32_t block_size, int32_t extent_blocks, int32_t state_count, std::shared_ptr<FakeLog> log)
      : states(static_cast<size_t>(state_count)), size_(block_size), count_(block_count), extent_blocks_(extent_blocks), log_(std::move(log)) {
    tokens.assign(static_cast<size_t>(block_count) * static_cast<size_t>(block_size), kUnwritten);
    committed_.assign(static_cast<size_t>((block_count + extent_blocks - 1) / extent_blocks), 0);
    log_->caches += 1;
  }
  ~FakeCache() override { log_->caches -= 1; }
  int32_t block_size() const override { return size_; }
  int32_t block_count() const override { return count_; }
  size_t bytes_per_block() const override { return static_cast<size_t>(size_) * 8; }
  int32_t extent_blocks() const override { return extent_blocks_; }
  void commit(int32_t extent) override {
    if (log_->scarce_extents > 0 && log_->scarce_extents-- > 0) throw std::bad_alloc();
    change(extent, 0, 1);
    log_->extents += 1;
  }
  void decommit(int32_t extent) noexcept override {
    change(extent, 1, 0);
    log_->extents -= 1;
    for (int32_t block = extent * extent_blocks_; block < std::min((extent + 1) * extent_blocks_, count_); ++block)
      std::fill_n(tokens.begin() + block * size_, size_, kUnwritten);
  }
  bool committed(int32_t block) const { return committed_[static_cast<size_t>(block / extent_blocks_)] != 0; }
  void copy_block(int32_t from, int32_t to) override {
    std::copy_n(tokens.begin() + from * size_, size_, tokens.begin() + to * size_);
    log_->copies += 1;
  }
  int32_t state_count() const override { return static_cast<int32_t>(states.size()); }
  size_t bytes_per_state() const override { return kFakeStateBytes; }
  void copy_state(int32_t from, int32_t to) override {
    states[static_cast<size_t>(to)] = states[static_cast<size_t>(from)];
    log_->state_copies += 1;
  }
  int32_t& at(const SequenceSlice& slice, int32_t position) {
    const int32_t block = slice.block_table[static_cast<size_t>(position / size_)];
    return tokens[static_cast<size_t>(block * size_ + position % size_)];
  }
  std::vector<int32_t> tokens;
  std::vector<uint64_t> states;  // the hash of a text so far

 private:
  void change(int32_t extent, char from, char to) {
    char& state = committed_[static_cast<size_t>(extent)];
    const FaultShelter shelter;
    const std::lock_guard lock(log_->mutex);
    if (state != from && log_->fault.empty()) log_->fault = "an extent is committed and decommitted in turns";
    state = to;
  }

  int32_t size_;
  int32_t count_;
  int32_t extent_blocks_;
  std::vector<char> committed_;
  std::shared_ptr<FakeLog> log_;
};

uint64_t mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9E3779B97F4A7C15u + (hash << 6) + (hash >> 2);
  hash *= 0xFF51AFD7ED558CCDu;
  return hash ^ (hash >> 33);
}

uint64_t hash_adapter(const std::string& adapter) {
  uint64_t hash = 1;
  for (const char c : adapter) hash = mix(hash, static_cast<unsigned char>(c));
  return hash;
}

// A token on which an activated adapter acts means something else; all other adapters change what comes before the first token.
int32_t adapted(int32_t token, const FakeAdapter* adapter) {
  const bool activated = adapter != nullptr && !adapter->invocation().empty();
  return token + (activated ? static_cast<int32_t>(1 + hash_adapter(adapter->name) % 1000) * 2 * kVocabulary : 0);
}

uint64_t first_hash(const FakeAdapter* adapter) { return hash_adapter(adapter != nullptr && adapter->invocation().empty() ? adapter->name : ""); }

void write_logits(uint64_t hash, bool poisoned, bool ends, float* logits) {
  for (int32_t id = 0; id < kVocabulary; ++id) {
    const bool special = id >= kOrdinary;
    logits[id] = special ? -100.0f : static_cast<float>(mix(hash, static_cast<uint64_t>(id)) % 10007) / 1000.0f;
  }
  if (ends && hash % 17 == 0) logits[kEnd] = 100.0f;
  if (poisoned) logits[hash % kVocabulary] = NAN;
}

[[noreturn]] void broken_rule(const char* rule) { throw std::logic_error(rule); }
void require(bool held, const char* rule) {
  if (!held) broken_rule(rule);
}

}  // namespace

void Gate::pass() {
  std::unique_lock lock(mutex_);
  const int mine = ++reached_;
  changed_.notify_all();
  changed_.wait(lock, [this, mine] { return mine <= allowed_; });
}

void Gate::allow(int times) {
  const std::lock_guard lock(mutex_);
  allowed_ = times;
  changed_.notify_all();
}

void Gate::open() { allow(INT32_MAX); }

void Gate::wait_until_reached(int times) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return reached_ >= times; });
}

FakeModel::FakeModel(FakeOptions options, std::shared_ptr<FakeLog> log) : options_(std::move(options)), log_(std::move(log)) {
  config_.vocab_size = kVocabulary;
  config_.max_positions = options_.max_positions;
  config_.end_tokens = {kEnd};
  if (options_.states) {  // one layer's, of 8 bytes
    config_.layers = 2;
    config_.linear = {{.key_heads = 1, .value_heads = 1, .key_dim = 0, .value_dim = 1, .taps = 3}, {true, false}};
  }
  if (options_.short_context == 0) return;
  config_.rope.kind = RopeConfig::Kind::longrope;
  config_.rope.original_max_positions = options_.short_context;
  config_.rope.long_factors = {2.0f};
}

std::unique_ptr<KvCache> FakeModel::make_kv_cache(int32_t block_count, int32_t block_size, KvMemory memory, int32_t state_count) {
  const bool whole = memory == KvMemory::whole || options_.extent_blocks == 0;
  return std::make_unique<FakeCache>(block_count, block_size, whole ? block_count : options_.extent_blocks, options_.states ? state_count : 0, log_);
}

std::shared_ptr<const Adapter> FakeModel::load_adapter(const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  log_->loads += 1;
  expose_to_faults();
  if (name.starts_with("slow") && options_.load_gate) options_.load_gate->pass();
  if (name.starts_with("bad")) throw Error("adapter_refused", "This adapter is bad.");
  if (name.starts_with("huge")) throw std::bad_alloc();
  const size_t dash = name.rfind('-');
  return std::make_shared<FakeAdapter>(name, dash == std::string::npos ? 100 : std::stoul(name.substr(dash + 1)));
}

void FakeModel::check(const Batch& batch, const KvCache& cache) const {
  int32_t at = 0;
  bool decoding = false;
  std::set<int32_t> written, read;
  for (const SequenceSlice& slice : batch.sequences) {
    require(slice.token_begin == at && slice.token_count > 0, "slices cover the batch in order");
    require(!decoding || slice.token_count == 1, "prefill comes before decode");
    decoding = slice.token_count == 1;
    at += slice.token_count;
    require(slice.position_begin + slice.token_count <= config_.max_positions, "positions stay within the context");
    const int32_t reach = static_cast<int32_t>(slice.block_table.size()) * cache.block_size();
    require(slice.position_begin + slice.token_count <= reach, "the block table reaches far enough");
    std::set<int32_t> mine;
    for (size_t i = 0; i < slice.block_table.size(); ++i) {
      const int32_t block = slice.block_table[i];
      require(block >= 0 && block < cache.block_count(), "blocks exist");
      require(static_cast<const FakeCache&>(cache).committed(block), "blocks have memory");
      require(mine.insert(block).second, "a sequence has a block once");
      const auto begin = static_cast<int32_t>(i) * cache.block_size();
      const bool writes = begin + cache.block_size() > slice.position_begin && begin < slice.position_begin + slice.token_count;
      require(!written.contains(block) && !(writes && read.contains(block)), "a block that is written is not shared");
      (writes ? written : read).insert(block);
    }
  }
  require(at == static_cast<int32_t>(batch.tokens.size()), "slices cover the batch");
  std::set<int32_t> states, states_read;
  for (const SequenceSlice& slice : batch.sequences) {
    if (!options_.states) break;
    require((slice.state_from < 0) == (slice.position_begin == 0) && slice.state_from < cache.state_count(), "a state is read from the second slice on");
    require(slice.state_to >= 0 && slice.state_to < cache.state_count() && states.insert(slice.state_to).second, "each slice writes a state of its own");
    states_read.insert(slice.state_from);
  }
  for (const int32_t state : states_read) require(!states.contains(state), "no slice writes a state that one reads");
  int32_t covered = 0;
  for (const Segment& segment : batch.segments) {
    require(segment.token_begin == covered && segment.token_end > covered, "segments cover the batch in order");
    covered = segment.token_end;
  }
  require(covered == at, "segments cover the batch");
  require(std::is_sorted(batch.logit_rows.begin(), batch.logit_rows.end()), "logit rows ascend");
}

void FakeModel::break_rule(const char* rule) {
  const FaultShelter shelter;
  const std::lock_guard lock(log_->mutex);
  if (log_->fault.empty()) log_->fault = rule;
}

void FakeModel::forward(const Batch& batch, KvCache& any_cache, std::span<float> logits) {
  if (options_.forward_gate) options_.forward_gate->pass();
  log_->forwards += 1;
  expose_to_faults();
  auto& cache = static_cast<FakeCache&>(any_cache);
  try {
    check(batch, cache);
    require(logits.size() == batch.logit_rows.size() * kVocabulary, "logits have room for the rows");
  } catch (const std::logic_error& rule) {
    break_rule(rule.what());
    throw;
  }
  {
    const std::lock_guard lock(log_->mutex);
    auto& counts = log_->steps.emplace_back();
    for (const SequenceSlice& slice : batch.sequences) counts.push_back(slice.token_count);
  }
  for (const int32_t token : batch.tokens) {
    if (token == kNoMemory) throw std::bad_alloc();
    if (token == kBroken) throw std::runtime_error("This token breaks the model.");
  }
  size_t row = 0;
  auto segment = batch.segments.begin();
  for (const SequenceSlice& slice : batch.sequences) {
    const int32_t meaning = options_.short_context > 0 && slice.length > options_.short_context ? kVocabulary : 0;
    const FakeAdapter* adapter = nullptr;
    for (int32_t i = 0; i < slice.token_count; ++i) {
      while (segment->token_end <= slice.token_begin + i) ++segment;
      adapter = static_cast<const FakeAdapter*>(segment->adapter);
      cache.at(slice, slice.position_begin + i) = adapted(batch.tokens[static_cast<size_t>(slice.token_begin + i)] + meaning, adapter);
    }
    uint64_t hash = first_hash(adapter);
    bool poisoned = false;
    const auto check_state = [&](int32_t position) {
      if (options_.states && position == slice.position_begin && position > 0 && cache.states[static_cast<size_t>(slice.state_from)] != hash) break_rule("a slice reads its sequence's state");
    };
    for (int32_t position = 0; position < slice.position_begin + slice.token_count; ++position) {
      check_state(position);
      const int32_t token = cache.at(slice, position);
      hash = mix(hash, static_cast<uint64_t>(token));
      poisoned |= token % kVocabulary == kNan;
      const int32_t index = slice.token_begin + position - slice.position_begin;
      if (position < slice.position_begin || row == batch.logit_rows.size() || batch.logit_rows[row] != index) continue;
      write_logits(hash, poisoned, options_.ends, logits.data() + row++ * kVocabulary);
    }
    if (options_.states) cache.states[static_cast<size_t>(slice.state_to)] = hash;
  }
}

void FakeModel::start(const Batch& batch, KvCache& cache) {
  Model::start(batch, cache);
  under_way_.clear();
  if (options_.ahead) under_way_.push_back(computed(batch, cache));
}

void FakeModel::start_next(const Batch& batch, KvCache& cache) {
  log_->ahead += 1;
  if (log_->refusals > 0) {
    log_->refusals -= 1;
    under_way_.clear();
    throw std::runtime_error("The step cannot be started.");
  }
  if (under_way_.size() != 1 || !under_way_.back().logits.empty()) break_rule("a step is started ahead after one that only draws");
  if (options_.states && !under_way_.empty() && under_way_.back().failure) {  // it would compute with what was never written
    for (const SequenceSlice& slice : batch.sequences) static_cast<FakeCache&>(cache).states[static_cast<size_t>(slice.state_to)] = 0;
    under_way_.push_back({{}, std::vector<int32_t>(batch.draws.size()), under_way_.back().failure});
    return;
  }
  std::vector<int32_t> tokens(batch.tokens.begin(), batch.tokens.end());
  const std::vector<int32_t>& drawn = under_way_.back().drawn;
  for (int32_t& token : tokens) {
    const size_t draw = token < 0 ? static_cast<size_t>(-1 - token) : 0;
    if (token < 0) token = draw < drawn.size() && drawn[draw] != kNoToken ? drawn[draw] : 0;
  }
  Batch known = batch;
  known.tokens = tokens;
  under_way_.push_back(computed(known, cache));
  if (log_->breakdowns == 0) return;
  log_->breakdowns -= 1;
  under_way_.back().failure = std::make_exception_ptr(std::runtime_error("The step gives nothing."));
}

FakeModel::Result FakeModel::computed(const Batch& batch, KvCache& cache) {
  Result result{std::vector<float>(batch.logit_rows.size() * kVocabulary), std::vector<int32_t>(batch.draws.size()), nullptr};
  try {
    compute(batch, cache, result.logits, result.drawn);
  } catch (...) {
    result.failure = std::current_exception();
  }
  return result;
}

void FakeModel::finish(std::span<float> logits, std::span<int32_t> drawn) {
  if (!options_.ahead) return compute(started_, *started_cache_, logits, drawn);
  const Result result = std::move(under_way_.front());
  under_way_.pop_front();
  if (result.failure) under_way_.clear();
  if (result.failure) std::rethrow_exception(result.failure);
  std::ranges::copy(result.logits, logits.begin());
  std::ranges::copy(result.drawn, drawn.begin());
}

// Draws from the logits of a forward pass that has their rows besides.
void FakeModel::compute(const Batch& batch, KvCache& cache, std::span<float> logits, std::span<int32_t> drawn) {
  if (batch.draws.empty()) return forward(batch, cache, logits);
  std::vector<int32_t> rows(batch.logit_rows.begin(), batch.logit_rows.end());
  for (const Draw& draw : batch.draws) rows.push_back(draw.row);
  std::sort(rows.begin(), rows.end());
  std::vector<float> all(rows.size() * kVocabulary);
  forward({batch.tokens, batch.sequences, batch.segments, rows}, cache, all);
  const auto row_of = [&](int32_t token) { return std::span(all).subspan(static_cast<size_t>(std::find(rows.begin(), rows.end(), token) - rows.begin()) * kVocabulary, kVocabulary); };
  for (size_t i = 0; i < batch.logit_rows.size(); ++i) std::ranges::copy(row_of(batch.logit_rows[i]), logits.begin() + static_cast<std::ptrdiff_t>(i * kVocabulary));
  for (size_t i = 0; i < drawn.size(); ++i) {
    const Draw& draw = batch.draws[i];
    try {
      drawn[i] = Sampler().pick(row_of(draw.row), {draw.temperature, draw.top_k, draw.top_p, draw.min_p, draw.seed}, draw.position);
    } catch (const Error&) {
      drawn[i] = kNoToken;
    }
  }
  log_->drawn += static_cast<int>(drawn.size());
}

std::vector<float> fake_logits(const std::vector<int32_t>& tokens, const std::string& name, bool ends, size_t prompt) {
  const FakeAdapter adapter(name, 0);
  const auto from = static_cast<size_t>(adapter.acts_from(std::span(tokens).first(std::min(prompt, tokens.size()))));
  uint64_t hash = first_hash(&adapter);
  for (size_t i = 0; i < tokens.size(); ++i) hash = mix(hash, static_cast<uint64_t>(adapted(tokens[i], i < from ? nullptr : &adapter)));
  std::vector<float> logits(kVocabulary);
  write_logits(hash, false, ends, logits.data());
  return logits;
}

std::vector<int32_t> fake_greedy(std::vector<int32_t> prompt, const std::string& adapter, size_t count, bool ends) {
  const size_t given = prompt.size();
  std::vector<int32_t> generated;
  while (generated.size() < count && (generated.empty() || generated.back() != kEnd)) {
    const std::vector<float> logits = fake_logits(prompt, adapter, ends, given);
    const auto best = std::max_element(logits.begin(), logits.end());
    generated.push_back(static_cast<int32_t>(best - logits.begin()));
    prompt.push_back(generated.back());
  }
  return generated;
}

}  // namespace sgmv::test
