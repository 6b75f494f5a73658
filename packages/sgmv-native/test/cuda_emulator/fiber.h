// Threads of a kernel as fibers of one operating system thread: each has a stack of its own and runs until it yields.
// The sanitizers are told of every switch.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <new>

namespace sgmv::emulator {

class Fiber {
 public:
  static constexpr size_t kStackBytes = size_t{256} << 10;

  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Starts `body` at the next resume(). Only when the fiber is done. `body` must not throw.
  void start(const std::function<void()>* body);
  bool done() const;
  void resume();       // from outside: until the fiber yields or is done
  static void yield();  // from inside
  static bool is_own(const void* p);  // from inside: whether it is on the fiber's stack

 private:
  struct State;
  static void enter();
  std::unique_ptr<State> state_;
};

}  // namespace sgmv::emulator
