# SPDX-License-Identifier: GPL-2.0-only
# The work is done by scripts/; see there, and README.md.

export MACHINE MODE T ACCEL LINUX_SRC JOBS O P SIGNOFF TRAILERS ARCH
export ROUNDS WORK SEED LINUX_SRC_B MINUTES

.PHONY: run test test-slow help clean distclean tree series bisect-check refresh \
	qemu bench bench-dispatch soak fuzz
.NOTPARALLEL:

run:
	@scripts/deps
	@scripts/run

test:
	@scripts/deps
	@scripts/test

test-slow:
	@scripts/deps
	@T=slow scripts/test

tree:
	@scripts/deps
	@scripts/fetch
	@scripts/compose

series: tree
	@scripts/series

bisect-check: tree
	@scripts/bisect-check

bench: tree
	@scripts/bench

bench-dispatch: tree
	@scripts/bench-dispatch

soak: tree
	@scripts/soak

fuzz: tree
	@scripts/fuzz

refresh:
	@scripts/refresh

qemu:
	@scripts/deps
	@scripts/qemu

clean:
	@scripts/clean

distclean:
	@scripts/clean --cache

help:
	@echo 'make run             build the kernel, boot it, show what its devices did'
	@echo 'make test            run all tests; results in out/'
	@echo 'make test-slow       run the tests that make test leaves out'
	@echo 'make tree            fetch the base and compose the kernel tree out/linux'
	@echo 'make refresh         write edits in out/linux back into patches/ and new files'
	@echo 'make qemu            build QEMU with the changes of emulation/qemu, in the cache'
	@echo 'make series          write the mails of the patch series to out/series'
	@echo 'make bisect-check    build the kernel after every patch'
	@echo 'make bench           measure DMA mappings, stock and new, in one kernel'
	@echo 'make bench-dispatch  count the instructions of the mapping fast path'
	@echo 'make soak            keep machines busy for MINUTES each (default 10), while'
	@echo '                     devices come and go and allocations fail'
	@echo 'make fuzz            let a fuzzer work on the IOVA allocator'
	@echo 'make clean           remove what was built (out/); edits in out/linux stop it'
	@echo 'make distclean       clean, and remove the cache of downloads'
	@echo
	@echo 'MACHINE=<m>,...|all  the machines: q35 (default), masks, dmar, rmrr, groups,'
	@echo '                     grow, faults, crash, external, iommus, peers, guests,'
	@echo '                     judges, gart, oldgart, calgary, calioc2, camera,'
	@echo '                     powernv9, powernv10, powernv8, pseries, kexec, probe,'
	@echo '                     fence, tces, vfio, hypervisor, chips'
	@echo 'MODE=<mode>,...|all  its modes for make run (default the main one)'
	@echo 'T=<suite>,...        the suites of make test (default most; T=all, slow, list)'
	@echo 'ACCEL=auto|kvm|tcg   how QEMU runs the machine (default auto)'
	@echo 'LINUX_SRC=<path>     the base: a Linux 7.3.y tree, git tree or tarball'
	@echo 'JOBS=<n>  O=<dir>    compiler jobs; directory of all output (default out)'
	@echo 'ROUNDS=<n>           rounds of make bench (default 50)'
	@echo 'WORK=<work>,...      its works, with wildcards (default all; WORK=list);'
	@echo '                     the results of some are in out/bench-part.json'
	@echo 'LINUX_SRC_B=base|<dir> the tree that make bench compares with ours'
	@echo 'MINUTES=<n> SEED=<n> how long make fuzz works, or a space ages in make bench;'
	@echo '                     where what is random begins'
	@echo 'P=<patch>            the patch to refresh or, as <n>-<m>, to build after'
	@echo 'ARCH=powerpc         make bisect-check builds for POWER, after its patches'
	@echo "SIGNOFF='Name <mail>' TRAILERS='Key: value; ...'   added by make series"
