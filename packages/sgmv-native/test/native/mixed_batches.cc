#include "mixed_batches.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <random>

#include "check.h"
#include "golden_folder.h"

namespace sgmv::test {
namespace {

struct Request {
  std::vector<int32_t> tokens;
  const Adapter* adapter = nullptr;
  std::vector<float> alone;  // logits of all positions, fed in one step
  std::vector<int32_t> blocks;
  int32_t done = 0;
  std::array<int32_t, 2> states{};  // slots: the sequence's state before its next slice, and where that after it goes
};

struct Setup {
  std::filesystem::path folder;
  std::unique_ptr<Model> model;
  std::vector<std::shared_ptr<const Adapter>> adapters;

  Setup(const std::string& family, const ModelOptions& options) : folder(golden_root() / family) {
    model = Model::load(GoldenFolder(folder).model(), options);
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "adapters")) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    for (const std::filesystem::path& adapter : found) adapters.push_back(model->load_adapter(adapter));
  }
};

std::vector<Request> make_requests(const Setup& setup, std::mt19937& generator, int32_t count, int32_t block_size, int32_t& blocks) {
  std::vector<Request> requests(static_cast<size_t>(count));
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
  std::vector<int32_t> slots(2 * requests.size());
  std::iota(slots.begin(), slots.end(), 0);
  std::shuffle(slots.begin(), slots.end(), generator);
  for (size_t i = 0; i < requests.size(); ++i) requests[i].states = {slots[2 * i], slots[2 * i + 1]};
  return requests;
}

// One step with a random share of the requests, each with a random number of its next tokens.
void mixed_step(Setup& setup, std::vector<Request>& requests, KvCache& cache, std::mt19937& generator) {
  std::vector<Request*> chosen;
  for (Request& r : requests)
    if (r.done < static_cast<int32_t>(r.tokens.size()) && generator() % 4 != 0) chosen.push_back(&r);
  std::shuffle(chosen.begin(), chosen.end(), generator);
  const bool decode = generator() % 3 == 0;
  std::vector<int32_t> tokens, rows;
  std::vector<SequenceSlice> slices;
  std::vector<Segment> segments;
  for (Request* r : chosen) {
    const auto left = static_cast<int32_t>(r->tokens.size()) - r->done;
    const int32_t count = decode || generator() % 3 == 0 ? 1 : std::uniform_int_distribution<int32_t>(1, left)(generator);
    const auto begin = static_cast<int32_t>(tokens.size());
    tokens.insert(tokens.end(), r->tokens.begin() + r->done, r->tokens.begin() + r->done + count);
    slices.push_back({begin, count, r->done, r->blocks, static_cast<int32_t>(r->tokens.size()), r->done == 0 ? -1 : r->states[0], r->states[1]});
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
    std::swap(r.states[0], r.states[1]);
  }
}

}  // namespace

void check_mixed_batches(const std::string& family, const ModelOptions& of_alone, const ModelOptions& of_together, int32_t block_size, int32_t others, uint32_t seed) {
  Setup alone(family, of_alone), together(family, of_together);
  std::mt19937 generator(seed);
  int32_t blocks = 0;
  std::vector<Request> requests = make_requests(together, generator, others + 1, block_size, blocks);
  for (Request& r : requests) {
    // The same adapter as loaded for the other model: nothing may depend on which copy it is.
    const auto at = std::find_if(together.adapters.begin(), together.adapters.end(), [&](const auto& a) { return a.get() == r.adapter; });
    const Adapter* own = r.adapter == nullptr ? nullptr : alone.adapters[static_cast<size_t>(at - together.adapters.begin())].get();
    r.alone = Session(*alone.model, own, static_cast<int32_t>(r.tokens.size()), block_size).feed(r.tokens, true);
  }
  const auto cache = together.model->make_kv_cache(blocks, block_size, KvMemory::whole, 2 * (others + 1));
  const auto unfinished = [](const Request& r) { return r.done < static_cast<int32_t>(r.tokens.size()); };
  while (std::any_of(requests.begin(), requests.end(), unfinished)) mixed_step(together, requests, *cache, generator);
}

}  // namespace sgmv::test
