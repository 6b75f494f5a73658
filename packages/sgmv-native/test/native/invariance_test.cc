// The promise of the batch: a sequence has the same logits, bit for bit, alone and among 63 others of other adapters
// and lengths, however its prompt was cut and whatever blocks it got.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <tuple>

#include "check.h"
#include "golden_folder.h"
#include "sgmv/device.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

struct Request {
  std::vector<int32_t> tokens;
  const Adapter* adapter = nullptr;
  std::vector<float> alone;  // logits of all positions, fed in one step
  std::vector<int32_t> blocks;
  int32_t done = 0;
};

struct Setup {
  std::filesystem::path folder;
  std::unique_ptr<Model> model;
  std::vector<std::shared_ptr<const Adapter>> adapters;

  Setup(const char* family, const std::string& isa, int32_t threads, WeightType type = WeightType::f32, bool as_stored = false) : folder(golden_root() / family) {
    if (!std::filesystem::exists(folder)) folder = golden_root() / "tiny" / family;
    if (!std::filesystem::exists(folder)) throw Skip(std::string("no golden folder of ") + family);
    model = Model::load(folder / "model", {threads, isa, type, std::nullopt, as_stored});
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "adapters")) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    for (const std::filesystem::path& adapter : found) adapters.push_back(model->load_adapter(adapter));
  }
};

std::vector<Request> make_requests(const Setup& setup, std::mt19937& generator, int32_t block_size, int32_t& blocks) {
  std::vector<Request> requests(64);
  blocks = 0;
  for (Request& r : requests) {
    r.tokens.resize(std::uniform_int_distribution<size_t>(1, 50)(generator));
    for (int32_t& token : r.tokens) token = std::uniform_int_distribution<int32_t>(0, setup.model->config().vocab_size - 1)(generator);
    const size_t pick = std::uniform_int_distribution<size_t>(0, setup.adapters.size())(generator);
    r.adapter = pick == setup.adapters.size() ? nullptr : setup.adapters[pick].get();
    blocks += static_cast<int32_t>((r.tokens.size() + static_cast<size_t>(block_size) - 1) / static_cast<size_t>(block_size));
  }
  std::vector<int32_t> order(static_cast<size_t>(blocks));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), generator);
  for (Request& r : requests)
    for (size_t i = 0; i < (r.tokens.size() + static_cast<size_t>(block_size) - 1) / static_cast<size_t>(block_size); ++i) {
      r.blocks.push_back(order.back());
      order.pop_back();
    }
  return requests;
}

// One step with a random share of the requests, each with a random number of its next tokens.
void mixed_step(Setup& setup, std::vector<Request>& requests, KvCache& cache, std::mt19937& generator) {
  std::vector<Request*> chosen;
  for (Request& r : requests)
    if (r.done < static_cast<int32_t>(r.tokens.size()) && generator() % 4 != 0) chosen.push_back(&r);
  std::shuffle(chosen.begin(), chosen.end(), generator);
  std::vector<int32_t> tokens, rows;
  std::vector<SequenceSlice> slices;
  std::vector<Segment> segments;
  for (Request* r : chosen) {
    const auto left = static_cast<int32_t>(r->tokens.size()) - r->done;
    const int32_t count = generator() % 3 == 0 ? 1 : std::uniform_int_distribution<int32_t>(1, left)(generator);
    const auto begin = static_cast<int32_t>(tokens.size());
    tokens.insert(tokens.end(), r->tokens.begin() + r->done, r->tokens.begin() + r->done + count);
    slices.push_back({begin, count, r->done, r->blocks, static_cast<int32_t>(r->tokens.size())});
    segments.push_back({begin, begin + count, r->adapter});
  }
  rows.resize(tokens.size());
  std::iota(rows.begin(), rows.end(), 0);
  const auto vocabulary = static_cast<size_t>(setup.model->config().vocab_size);
  std::vector<float> logits(rows.size() * vocabulary, 1e30f);
  setup.model->forward({tokens, slices, segments, rows}, cache, logits);
  for (size_t i = 0; i < chosen.size(); ++i) {
    Request& r = *chosen[i];
    const float* found = logits.data() + static_cast<size_t>(slices[i].token_begin) * vocabulary;
    const float* expected = r.alone.data() + static_cast<size_t>(r.done) * vocabulary;
    CHECK(std::memcmp(found, expected, static_cast<size_t>(slices[i].token_count) * vocabulary * sizeof(float)) == 0,
          "positions ", r.done, " to ", r.done + slices[i].token_count, " of a prompt of ", r.tokens.size(), " differ from the request alone");
    r.done += slices[i].token_count;
  }
}

void run(const char* family, const std::string& isa, WeightType type, bool as_stored, int32_t block_size, uint32_t seed) {
  Setup alone(family, isa, 1, type, as_stored), together(family, isa, 3, type, as_stored);
  std::mt19937 generator(seed);
  int32_t blocks = 0;
  std::vector<Request> requests = make_requests(together, generator, block_size, blocks);
  for (Request& r : requests) {
    // The same adapter as loaded for the other model: nothing may depend on which copy it is.
    const auto at = std::find_if(together.adapters.begin(), together.adapters.end(), [&](const auto& a) { return a.get() == r.adapter; });
    const Adapter* own = r.adapter == nullptr ? nullptr : alone.adapters[static_cast<size_t>(at - together.adapters.begin())].get();
    r.alone = Session(*alone.model, own, static_cast<int32_t>(r.tokens.size()), block_size).feed(r.tokens, true);
  }
  const auto cache = together.model->make_kv_cache(blocks, block_size);
  const auto unfinished = [](const Request& r) { return r.done < static_cast<int32_t>(r.tokens.size()); };
  while (std::any_of(requests.begin(), requests.end(), unfinished)) mixed_step(together, requests, *cache, generator);
}

TEST("invariance: alone and among 63 others, any chunking, any blocks, any threads") {
  uint32_t seed = 1;
  for (const std::string& isa : available_isas())
    for (const auto& [type, as_stored, block_size] : std::initializer_list<std::tuple<WeightType, bool, int32_t>>{
             {WeightType::f32, true, 16}, {WeightType::f32, true, 4}, {WeightType::bf16, true, 32}, {WeightType::i8, false, 16}, {WeightType::i8, true, 4}})
      if (!kSanitized || block_size == 4) run("llama2", isa, type, as_stored, block_size, seed++);
  for (const WeightType type : {WeightType::f32, WeightType::i8}) {
    run("llama-bias", "", type, false, 16, seed++);
    run("llama3", "", type, false, 7, seed++);
    for (const char* family : {"mistral", "qwen2", "qwen3-yarn", "gemma2", "gemma3", "phi3", "phi3-longrope"}) run(family, "", type, false, 16, seed++);
  }
}

TEST("forward: wrong batches are refused before anything is computed") {
  Setup setup("llama2", "", 1);
  const auto cache = setup.model->make_kv_cache(2, 4);
  const std::vector<int32_t> blocks{0, 1}, tokens{1, 2};
  std::vector<float> logits(128);
  const auto forward = [&](std::vector<int32_t> t, SequenceSlice s, Segment g, std::vector<int32_t> rows) {
    setup.model->forward({t, {&s, 1}, {&g, 1}, rows}, *cache, logits);
  };
  forward(tokens, {0, 2, 0, blocks}, {0, 2, nullptr}, {1});
  CHECK_THROWS(forward({1, 128}, {0, 2, 0, blocks}, {0, 2, nullptr}, {1}), Error, "tokens[1]");
  CHECK_THROWS(forward({1, -1}, {0, 2, 0, blocks}, {0, 2, nullptr}, {1}), Error, "tokens[1]");
  CHECK_THROWS(forward(tokens, {0, 1, 0, blocks}, {0, 2, nullptr}, {1}), Error, "sequences");
  CHECK_THROWS(forward(tokens, {0, 2, 7, blocks}, {0, 2, nullptr}, {1}), Error, "block_table");
  CHECK_THROWS(forward(tokens, {0, 2, -1, blocks}, {0, 2, nullptr}, {1}), Error, "position_begin");
  CHECK_THROWS(forward(tokens, {0, 2, INT32_MAX - 1, blocks}, {0, 2, nullptr}, {1}), Error, "position");
  const std::vector<int32_t> wild{0, 2};
  CHECK_THROWS(forward(tokens, {0, 2, 3, wild}, {0, 2, nullptr}, {1}), Error, "block_table[1]");
  CHECK_THROWS(forward(tokens, {0, 2, 0, blocks}, {0, 1, nullptr}, {1}), Error, "segments");
  CHECK_THROWS(forward(tokens, {0, 2, 0, blocks}, {0, 2, nullptr}, {2}), Error, "logit_rows");
  CHECK_THROWS(forward(tokens, {0, 2, 0, blocks}, {0, 2, nullptr}, {0, 1}), Error, "logits");
  CHECK_THROWS(setup.model->make_kv_cache(0, 16), Error, "block_count");
  CHECK_THROWS(setup.model->make_kv_cache(1, 0), Error, "block_size");
  CHECK_THROWS(Model::load(setup.folder / "none", {}), Error, "no such");
}

}  // namespace
}  // namespace sgmv::test
