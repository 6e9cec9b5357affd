// A stand-in for libtorch_cuda.so, so that every machine tests what is written for CUDA: devices whose memory is the
// host's and whose kernels are libtorch's CPU kernels. A program that opens libtorch's CUDA half at run time finds this
// one when its folder comes first in LD_LIBRARY_PATH; nothing in the program is changed for it.
//
// It behaves as the real library does in what a program can see without a GPU: tensors of the host beside tensors of a
// device are refused, and of one device beside another's; memory is counted, and runs out; nothing is known of memory
// before the first use; a card has a compute capability and may have no kernels. It counts launches, waits of the host
// and bytes that cross.
//
// Settings, by environment variables:
//   STANDIN_DEVICES     number of devices; 2
//   STANDIN_CAPABILITY  compute capabilities, as `7.0,9.0`; the last one holds for all further devices; 9.0. Below 7.5
//                       there are no kernels.
//   STANDIN_MEMORY      bytes of each device; 80 GiB
//   STANDIN_PROTECT     set: device memory can be read and written by the kernels alone that it is an argument of, so that
//                       a stray `data_ptr` on the host ends the process by SIGSEGV; slow
//   STANDIN_COUNTS      a file that is written when the process ends: a line for each stage and operation, separated by
//                       tabs: stage, operation, calls, launches, waits, bytes up, bytes down. A stage ends where the
//                       generators are seeded, which a training loop does once a step.
//
// Its limits:
//   * A float32 result is the CPU's to the last bit; a GPU's is not. Kernels that CUDA lacks, or has and the CPU lacks,
//     are not told apart, nor are slow ones.
//   * All devices draw from the CPU's generator. Streams and events do nothing, so that races are not found.
//   * Processes exchange by Gloo, whose sums go through the host in the real library too; what is called NCCL is Gloo.
//   * Launches are those of libtorch 2.11's sources: one for each operation but those in `launches.h`. Temporary memory
//     of kernels is not counted.
//   * Attention is computed by its plain formula; the real library may have one kernel for it.
//   * A read of protected memory is not found while a kernel of another thread computes with it.
#include "settings.h"

#include "counts.h"

#include "memory.h"

#include "device.h"

#include "launches.h"

#include "aliases.h"

#include "fallback.h"

#include "kernels.h"

#include "exchange.h"

#include "nccl.h"
