// The main() of test programs.
#pragma once

namespace sgmv::test {

inline constexpr int kAllSkipped = 77;  // as Automake and Meson have it

// Arguments: [--jobs N] [--seconds S] [--list] [PART...]. Runs the tests whose names contain one of the parts, or all, in N processes; with S
// in processes even if N is 1, where a test that takes longer has failed; with --list only their names are said. A part that is in no
// name has failed. Returns the exit status: 0 only if some passed and none failed.
int run_tests(int argc, char** argv);

}  // namespace sgmv::test
