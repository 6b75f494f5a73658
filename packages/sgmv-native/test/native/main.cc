// sgmv_tests [--jobs N] [--list] [PART...]
#include "run_tests.h"

int main(int argc, char** argv) { return sgmv::test::run_tests(argc, argv); }
