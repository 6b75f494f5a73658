#include "fiber.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <atomic>
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

// Of a fiber, or of the thread that fibers run on.
struct Computation {
  Context context;
  std::byte* bottom = nullptr;  // of its stack
  size_t bytes = 0;
  void* shadow = nullptr;  // what a sanitizer knows it by
};

thread_local Fiber* running = nullptr;
thread_local Computation outside;

void change(Computation& from, Computation& to, [[maybe_unused]] bool for_ever) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(for_ever ? nullptr : &from.shadow, to.bottom, to.bytes);
#endif
#if defined(SGMV_THREAD_SANITIZER)
  __tsan_switch_to_fiber(to.shadow, __tsan_switch_to_fiber_no_sync);
#endif
  Context::change(from.context, to.context);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(from.shadow, nullptr, nullptr);
#endif
}

// What is left to do of a switch to a fiber that begins. A function that returns: variables of enter()'s own would stay
// poisoned on the stack.
[[gnu::noinline]] void arrive() {
#if defined(__SANITIZE_ADDRESS__)
  const void* bottom;
  size_t bytes;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
  // The first one comes from outside.
  if (outside.bottom == nullptr) outside.bottom = static_cast<std::byte*>(const_cast<void*>(bottom)), outside.bytes = bytes;
#endif
}

// Stacks that all end at the same address modulo a power of two would meet in the same few sets of every cache, at each switch.
constexpr size_t kOffsets = 64, kOffsetBytes = 17 * 64;

}  // namespace

struct Fiber::State : Computation {
  const std::function<Fiber*()>* body = nullptr;
  size_t offset = 0;  // of its first frame from the stack's end
};

Fiber::Fiber() : state_(std::make_unique<State>()) {
  void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) throw std::bad_alloc();
  state_->bottom = static_cast<std::byte*>(stack);
  state_->bytes = kStackBytes;
  static std::atomic<size_t> made{0};
  state_->offset = made++ % kOffsets * kOffsetBytes;
#if defined(SGMV_THREAD_SANITIZER)
  state_->shadow = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#if defined(SGMV_THREAD_SANITIZER)
  __tsan_destroy_fiber(state_->shadow);
#endif
  munmap(state_->bottom, kStackBytes);
}

void Fiber::start(const std::function<Fiber*()>* body) {
  state_->body = body;
  state_->context.prepare(state_->bottom, kStackBytes - state_->offset, &Fiber::enter);
}

void Fiber::enter() {
  arrive();
  State& state = *running->state_;
  running = (*state.body)();
  change(state, running == nullptr ? outside : *running->state_, true);
  std::abort();  // nobody goes back to what has ended
}

void Fiber::run() {
  running = this;
#if defined(SGMV_THREAD_SANITIZER)
  outside.shadow = __tsan_get_current_fiber();
#endif
  change(outside, *state_, false);
}

void Fiber::change_to(Fiber& next) {
  Fiber& self = *running;
  running = &next;
  change(*self.state_, *next.state_, false);
}

bool Fiber::is_own(const void* p) { return reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(running->state_->bottom) < kStackBytes; }

}  // namespace sgmv::emulator
