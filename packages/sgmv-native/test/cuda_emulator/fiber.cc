#include "fiber.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(SGMV_THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>
#endif

namespace sgmv::emulator {
namespace {

// A suspended computation. On x86-64 its registers lie on its own stack; elsewhere the C library keeps them, which
// costs two system calls per switch.
#if defined(__x86_64__)
extern "C" void sgmv_emulator_switch(void** from, void* to);
asm(R"(
.text
.globl sgmv_emulator_switch
.type sgmv_emulator_switch, @function
sgmv_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size sgmv_emulator_switch, .-sgmv_emulator_switch
)");

struct Context {
  void* stack = nullptr;
  void prepare(std::byte* bottom, size_t bytes, void (*entry)()) {
    auto* top = reinterpret_cast<void**>(bottom + bytes);
    *--top = nullptr;  // the entry begins as if it had been called: its stack is off by one word
    *--top = reinterpret_cast<void*>(entry);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    stack = top;
  }
  static void change(Context& from, Context& to) { sgmv_emulator_switch(&from.stack, to.stack); }
};
#else
struct Context {
  ucontext_t registers;
  void prepare(std::byte* bottom, size_t bytes, void (*entry)()) {
    getcontext(&registers);
    registers.uc_stack.ss_sp = bottom;
    registers.uc_stack.ss_size = bytes;
    registers.uc_link = nullptr;
    makecontext(&registers, entry, 0);
  }
  static void change(Context& from, Context& to) { swapcontext(&from.registers, &to.registers); }
};
#endif

}  // namespace

struct Fiber::State {
  std::byte* stack = nullptr;
  Context own, outside;
  const std::function<void()>* body = nullptr;
  bool done = true;
  void* own_shadow = nullptr;
  void* outside_shadow = nullptr;
  const void* outside_bottom = nullptr;
  size_t outside_bytes = 0;
};

namespace {
thread_local Fiber* running = nullptr;
}

Fiber::Fiber() : state_(std::make_unique<State>()) {
  void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) throw std::bad_alloc();
  state_->stack = static_cast<std::byte*>(stack);
#if defined(SGMV_THREAD_SANITIZER)
  state_->own_shadow = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#if defined(SGMV_THREAD_SANITIZER)
  __tsan_destroy_fiber(state_->own_shadow);
#endif
  munmap(state_->stack, kStackBytes);
}

bool Fiber::done() const { return state_->done; }

void Fiber::start(const std::function<void()>* body) {
  state_->body = body;
  state_->done = false;
  state_->own.prepare(state_->stack, kStackBytes, &Fiber::enter);
}

void Fiber::enter() {
  State& state = *running->state_;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &state.outside_bottom, &state.outside_bytes);
#endif
  (*state.body)();
  state.done = true;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(nullptr, state.outside_bottom, state.outside_bytes);
#endif
#if defined(SGMV_THREAD_SANITIZER)
  __tsan_switch_to_fiber(state.outside_shadow, __tsan_switch_to_fiber_no_sync);
#endif
  Context::change(state.own, state.outside);
  std::abort();  // nobody resumes what is done
}

void Fiber::resume() {
  running = this;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&state_->outside_shadow, state_->stack, kStackBytes);
#endif
#if defined(SGMV_THREAD_SANITIZER)
  state_->outside_shadow = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(state_->own_shadow, __tsan_switch_to_fiber_no_sync);
#endif
  Context::change(state_->outside, state_->own);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(state_->outside_shadow, nullptr, nullptr);
#endif
  running = nullptr;
}

void Fiber::yield() {
  State& state = *running->state_;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&state.own_shadow, state.outside_bottom, state.outside_bytes);
#endif
#if defined(SGMV_THREAD_SANITIZER)
  __tsan_switch_to_fiber(state.outside_shadow, __tsan_switch_to_fiber_no_sync);
#endif
  Context::change(state.own, state.outside);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(state.own_shadow, &state.outside_bottom, &state.outside_bytes);
#endif
}

bool Fiber::is_own(const void* p) { return reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(running->state_->stack) < kStackBytes; }

}  // namespace sgmv::emulator
