// Memory runs out at every allocation of a load and of a computation in turn: what was asked for fails with
// bad_alloc, which the binding reports as out_of_memory, and the next attempt succeeds. Leaks are seen by the
// sanitized run; allocations on the engine's own threads are the matter of test/engine/memory_fault_test.cc.
#include <cstring>
#include <new>

#include "check.h"
#include "engine/allocation_faults.h"
#include "failing_buffers.h"
#include "golden_folder.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

std::filesystem::path family() { return golden_root() / "llama2"; }
std::filesystem::path adapter() { return family() / "adapters" / "o-r3"; }

// Whether `attempt` ran out of memory. Nothing else may come of it.
template <typename Attempt>
bool runs_out(const Attempt& attempt) {
  try {
    attempt();
    return false;
  } catch (const std::bad_alloc&) {
    return true;
  } catch (const Error& error) {
    const FaultShelter shelter;
    CHECK_EQUAL(error.code(), std::string("out_of_memory"));
    return true;
  }
}

template <typename Attempt>
void fail_every_new(const Attempt& attempt) {
  expose_to_faults();
  const int64_t stride = kSanitized ? 17 : 2;
  int failed = 0;
  for (const int64_t in_a_row : {1, 4}) {
    for (int64_t pass = 0;; pass += stride) {
      plan_faults(pass, in_a_row);
      const bool out = runs_out(attempt);
      const bool met = faults_met() > 0;
      plan_faults(0, 0);
      failed += out;
      CHECK(met || !out);
      if (!met) break;
    }
  }
  CHECK(failed > 20 / stride, "only ", failed, " allocations mattered");
  CHECK(!runs_out(attempt));
}

template <typename Attempt>
void fail_every_buffer(const Attempt& attempt) {
  int failed = 0;
  for (int64_t pass = 0;; ++pass) {
    fail_buffer_after(pass);
    const bool out = runs_out(attempt);
    const bool met = buffer_failed();
    CHECK(met == out, "aligned allocation ", pass);
    if (!met) break;
    ++failed;
  }
  CHECK(failed > 0, "no aligned allocation was seen");
}

TEST("out of memory: loading a model") {
  const auto load = [] { Model::load(family() / "model", {.threads = 3}); };
  fail_every_new(load);
  fail_every_buffer(load);
}

TEST("out of memory: inspecting and loading an adapter") {
  const auto model = Model::load(family() / "model", {.threads = 1});
  const auto load = [&] { model->load_adapter(adapter()); };
  fail_every_new(load);
  fail_every_buffer(load);
  fail_every_new([&] {
    const AdapterReport report = inspect_adapter(adapter(), model->config());
    CHECK(report.problems.empty(), "a sound adapter was found wanting: ", report.problems[0].message);
  });
}

// A step that failed is repeated by the engine in parts, so a model must be usable after it, and give the same bits.
TEST("out of memory: a step") {
  const auto loaded = Model::load(family() / "model", {.threads = 2});
  const auto lora = loaded->load_adapter(adapter());
  const std::vector<int32_t> prompt = {5, 6, 7, 8, 9, 10, 11};
  const std::vector<float> expected = Session(*loaded, lora.get(), 64).feed(prompt, true);
  expose_to_faults();
  for (const bool buffers : {false, true}) {
    // A model of its own: one that has computed before has most of its memory already.
    const auto fresh = Model::load(family() / "model", {.threads = 2});
    bool met = true;
    for (int64_t pass = 0; met; ++pass) {
      buffers ? fail_buffer_after(pass) : plan_faults(pass, 1);
      std::vector<float> logits;
      const bool out = runs_out([&] { logits = Session(*fresh, lora.get(), 64).feed(prompt, true); });
      met = buffers ? buffer_failed() : faults_met() > 0;
      plan_faults(0, 0);
      const bool same = logits.size() == expected.size() && std::memcmp(logits.data(), expected.data(), expected.size() * sizeof(float)) == 0;
      CHECK(out || same, "allocation ", pass, " changed the logits");
    }
  }
}

}  // namespace
}  // namespace sgmv::test
