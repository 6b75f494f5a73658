// Threads of a kernel as fibers of one operating system thread: each has a stack of its own and runs until it lets another run.
// The sanitizers are told of every switch.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <new>

namespace sgmv::emulator {

class Fiber {
 public:
  static constexpr size_t kStackBytes = size_t{320} << 10;

  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // At the next switch to it the fiber runs `body`, which must not throw, and then goes on where that says: null means
  // outside. Only when the fiber's last body has ended.
  void start(const std::function<Fiber*()>* body);
  void run();                          // from outside: until a fiber goes on there
  static void change_to(Fiber& next);  // from inside
  static bool is_own(const void* p);   // from inside: whether it is on the fiber's stack

 private:
  struct State;
  static void enter();
  std::unique_ptr<State> state_;
};

}  // namespace sgmv::emulator
