# SPDX-License-Identifier: GPL-2.0-only
# imdsnoop: `make` builds ./imdsnoop, static where the .a files exist; `make DYNAMIC=1` links shared libraries.
# Targets: all check-unit check-bpf check-e2e check-kernels kernels-table check-lint check-layers check-valgrind check-fuzz
# fuzz bench dist install uninstall clean. V=1 shows commands, -s nothing. WERROR=0: a warning is no error (the default outside of
# git). Packagers: CFLAGS, CPPFLAGS, LDFLAGS, PREFIX, DESTDIR as usual. `make fuzz SECONDS=600` fuzzes with each program that long, FUZZER=afl with AFL++.

VERSION := $(shell sed -n '1s/^[^(]*(\([^)]*\)).*/\1/p' scripts/deb/changelog)
O ?= build
PREFIX ?= /usr/local
CLANG ?= clang
LLVM_STRIP ?= llvm-strip
BPFTOOL ?= $(firstword $(wildcard /usr/local/sbin/bpftool /usr/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config
ARCH ?= $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
Q := $(if $(V),,@)
SILENT := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(V)$(SILENT),,@printf '  %-8s%s\n' $(1) $(2);)

# with the oldest version that it was built and tested with; libbpf 0.5 (Ubuntu 22.04) lacks calls that are needed
MINIMUM := libbpf>=1.1 libelf>=0.186 zlib>=1.2.11 libevent>=2.1.12 jansson>=2.13 ncursesw>=6.3 libseccomp>=2.5.3 sqlite3>=3.37
LIBS := $(foreach l,$(MINIMUM),$(firstword $(subst >=, ,$l)))
WERROR ?= $(if $(wildcard .git),1,0)
ERROR := $(if $(filter 1,$(WERROR)),-Werror)
WARN := -Wall -Wextra $(ERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(WARN) $(CPPFLAGS) $(CFLAGS) -D_GNU_SOURCE -DIMDSNOOP_VERSION='"$(VERSION)"' -I$(O) -MMD -MP \
	$(shell $(PKG_CONFIG) --cflags $(LIBS))
# no sharing of stack slots: without CAP_PERFMON the verifier forbids to write part of one that held a pointer
BPF_CFLAGS = -O2 -g -target bpf -mcpu=v3 -mllvm -no-stack-slot-sharing -D__TARGET_ARCH_$(ARCH) -D__bpf__ \
	-Ivmlinux -Ibpf -Wall -Wextra $(ERROR) -Wno-unused-parameter -Wno-missing-field-initializers -Wno-sign-compare -MMD -MP

# scripts/check-hardening reads the outcome
CF := $(firstword $(foreach f,-fcf-protection=full -mbranch-protection=standard,$(shell \
	printf 'int x;' | $(CC) -Werror $(f) -xc - -c -o /dev/null 2>/dev/null && echo $(f))))
HARDEN := -fstack-protector-strong -fPIE $(CF) $(if $(filter -O1 -O2 -O3 -Os,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDEN_LINK := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code

# elf_begin: Debian 13's libelf.a needs a part of elfutils that no package has
STATIC_OK := $(shell printf 'int elf_begin(void); int main(void){return elf_begin();}' | $(CC) -xc - -static -o /dev/null \
	$(shell $(PKG_CONFIG) --static --libs $(LIBS)) 2>/dev/null && echo yes)
# glibc's of these do not work in a static program, and it warns of them: ours, which find nothing, stand in their place
NOT_LINKED := getaddrinfo freeaddrinfo getservbyname getprotobynumber dlopen
ifeq ($(DYNAMIC)$(STATIC_OK),yes)
STATIC_PIE := $(shell printf 'int main(void){return 0;}' | $(CC) -fPIE -xc - -static-pie -o /dev/null \
	$(shell $(PKG_CONFIG) --static --libs $(LIBS)) 2>/dev/null && echo -static-pie)
override LDFLAGS += $(or $(STATIC_PIE:%=% -fPIE),-static) $(NOT_LINKED:%=-Wl,--wrap=%)
LDLIBS = $(shell $(PKG_CONFIG) --static --libs $(LIBS))
else
LDLIBS = $(shell $(PKG_CONFIG) --libs $(LIBS))
endif

# maps first: bpftool resolves extern maps in link order
BPF_SRC := bpf/maps.bpf.c $(filter-out bpf/maps.bpf.c,$(wildcard bpf/*.bpf.c))
BPF_OBJ := $(BPF_SRC:%.c=$(O)/%.o)
SKEL := $(O)/imdsnoop.skel.h
WEB_SRC := $(wildcard user/web/*)
WEB := $(O)/web_files.h
SRC := $(wildcard user/*.c user/*/*.c)
OBJ := $(SRC:%.c=$(O)/%.o)

all: imdsnoop

# ahead of the first object, whichever target wants it; pkg-config says which one is missing or too old
minimum:
	@command -v $(firstword $(PKG_CONFIG)) >/dev/null || { echo "make: no $(firstword $(PKG_CONFIG)) here: scripts/deps build" >&2; exit 1; }
	@$(PKG_CONFIG) --print-errors --exists $(foreach l,$(MINIMUM),'$(subst >=, >= ,$l)') || { echo \
		"make: imdsnoop cannot be built here: a library is missing (scripts/deps build) or too old" >&2; exit 1; }

# the map tells scripts/sbom what is inside
imdsnoop: $(OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(HARDEN) $(if $(filter -static%,$(LDFLAGS)),,-pie) $(LDFLAGS) $(HARDEN_LINK) -Wl,-Map=$(O)/imdsnoop.map -o $@ $^ $(LDLIBS)

$(O)/user/%.o: user/%.c Makefile | $(SKEL) $(WEB)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(HARDEN) -c -o $@ $<

$(O)/bpf/%.bpf.o: bpf/%.bpf.c Makefile | minimum
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(SKEL): $(BPF_OBJ)
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen object $(O)/imdsnoop.bpf.o $^
	$(Q)$(LLVM_STRIP) -g $(O)/imdsnoop.bpf.o
	$(Q)$(BPFTOOL) gen skeleton $(O)/imdsnoop.bpf.o name imdsnoop_bpf >$@.tmp && mv $@.tmp $@
$(patsubst %.c,$(O)/%.o,$(wildcard user/kernel/tracer*.c)): $(SKEL)

$(WEB): $(WEB_SRC) scripts/embed
	$(call say,EMBED,$@)
	$(Q)mkdir -p $(@D) && scripts/embed $(WEB_SRC) >$@.tmp && mv $@.tmp $@

# --- tests -----------------------------------------------------------------------------------------------------------
# A test names the files that it is linked with in its first lines: /* needs: a.c folder/ */
needs = $(1) $(wildcard $(patsubst %/,%/*.c,$(shell sed -n '1,12{s/^.*needs: *//;T;s/\*\///;p}' $(1))))
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT := $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ := $(FUZZ_NAMES:%=$(O)/fuzz/%)
TEST_LIBS := $(LIBS) cmocka

san_objects = $(patsubst %.c,$(O)/san/%.o,$(call needs,$(1)))
# each source once, however many tests need it
$(O)/san/%.o: %.c Makefile | $(SKEL) $(WEB)
	$(call say,SAN,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(filter-out -Wmissing-prototypes,$(ALL_CFLAGS)) -Wno-missing-field-initializers -O1 $(SANITIZE) -Itests/unit -c -o $@ $<
.SECONDEXPANSION:
# LeakSanitizer needs ptrace, which some sandboxes forbid; AddressSanitizer does not
$(O)/tests/test_%: $$(call san_objects,tests/unit/test_$$*.c) Makefile
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.o,$^) $(shell $(PKG_CONFIG) --libs $(TEST_LIBS))

define fuzz_rule
$(O)/$(1)/fuzz_%: tests/fuzz/fuzz_%.c $(SRC) $(wildcard user/*/*.h bpf/*.h) | $(SKEL) $(WEB)
	$$(call say,FUZZ,$$@)
	$$(Q)mkdir -p $$(@D) && $(2) $$(filter-out -MMD -MP -Wmissing-prototypes,$$(ALL_CFLAGS)) -Wno-missing-field-initializers -O1 -fsanitize=fuzzer \
		$$(SANITIZE) -Itests/unit -o $$@ $$(call needs,$$<) $$(shell $$(PKG_CONFIG) --libs $$(LIBS))
endef
$(eval $(call fuzz_rule,fuzz,$(CLANG)))
$(eval $(call fuzz_rule,afl,afl-clang-fast))

# programs of the lab; static, so that they also run inside a bare virtual machine
LAB_LIBS := $(NOT_LINKED:%=-Wl,--wrap=%) $(shell $(PKG_CONFIG) --static --libs libevent)
$(O)/tests/%: tests/lib/%.c user/base/not_linked.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu11 $(WARN) $(CFLAGS) -D_GNU_SOURCE -static -o $@ $(filter %.c,$^) $(LAB_LIBS)
$(O)/tests/%.bpf.o: tests/lib/%.bpf.c
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -c -o $@ $<
# packet tables for the BPF programs
RIG := tests/bpf/rig.c $(wildcard user/kernel/*.c)
$(O)/tests/bpf_tables: $(filter-out tests/bpf/rig.c,$(wildcard tests/bpf/*.c)) tests/unit/llhttp.c
$(O)/tests/bench_packets: tests/bench/bench_packets.c
$(O)/tests/bench_net $(O)/tests/bench_fleet: $(O)/tests/%: tests/bench/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu11 $(WARN) $(CFLAGS) -D_GNU_SOURCE $(LDFLAGS) -o $@ $< $(LDLIBS)
$(O)/tests/bpf_tables $(O)/tests/bench_packets: $(RIG) $(wildcard tests/bpf/*.h) $(SKEL)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(filter-out -MMD -MP -Wmissing-prototypes,$(ALL_CFLAGS)) -Wno-missing-field-initializers \
		$(LDFLAGS) -o $@ $(filter %.c,$^) $(LDLIBS)

# shared libraries, whatever imdsnoop itself has; gone pods leave after two seconds
FORGETFUL := session session_counts session_unowned
$(O)/forgetful/%.o: user/session/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -DSESSION_GONE_NS='(2ull * 1000000000)' -c -o $@ $<
$(O)/tests/imdsnoop: $(filter-out $(FORGETFUL:%=$(O)/user/session/%.o),$(OBJ)) $(FORGETFUL:%=$(O)/forgetful/%.o)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) -o $@ $^ $(shell $(PKG_CONFIG) --libs $(LIBS))

lab: $(patsubst tests/lib/%.c,$(O)/tests/%,$(filter-out %.bpf.c,$(wildcard tests/lib/*.c))) \
	$(patsubst tests/lib/%.bpf.c,$(O)/tests/%.bpf.o,$(wildcard tests/lib/*.bpf.c)) $(O)/tests/imdsnoop

check-unit: $(UNIT)
	$(Q)tests/unit/run $^
check-bpf: $(O)/tests/bpf_tables
	$(Q)$<
check-e2e: imdsnoop lab
	$(Q)tests/e2e/run
check-kernels: imdsnoop lab $(O)/tests/bpf_tables
	$(Q)tests/kernels/run
kernels-table:			# bpf/README.md's, from what the last check-kernels saw
	$(Q)tests/kernels/table write
check-layers:			# which file may include which; part of check-lint
	$(Q)scripts/check-layers
check-lint: $(SKEL) $(WEB)
	$(Q)O=$(O) scripts/lint
check-valgrind: lab
	$(Q)tests/lint/memcheck $(abspath $(O)/tests/imdsnoop)
fuzz: $(if $(filter afl,$(FUZZER)),$(FUZZ_NAMES:%=$(O)/afl/%),$(FUZZ))
	$(Q)tests/fuzz/run$(if $(filter afl,$(FUZZER)),_afl) $(or $(SECONDS),30) $^
check-fuzz: $(FUZZ)
	$(Q)tests/fuzz/run 4 $^
bench: imdsnoop lab $(O)/tests/bench_packets $(O)/tests/bench_net
	$(Q)scripts/bench
dist:
	$(Q)scripts/dist

# place, mode, file; the unit starts the binary where it is installed
UNITDIR ?= $(PREFIX)/lib/systemd/system
# scripts/dist packs others
BINARY ?= imdsnoop
INSTALLED = $(PREFIX)/bin/imdsnoop:755:$(BINARY) \
	$(PREFIX)/share/man/man8/imdsnoop.8:644:user/man/imdsnoop.8 \
	$(PREFIX)/share/bash-completion/completions/imdsnoop:644:user/completion/imdsnoop.bash \
	$(PREFIX)/share/zsh/site-functions/_imdsnoop:644:user/completion/imdsnoop.zsh \
	$(PREFIX)/share/fish/vendor_completions.d/imdsnoop.fish:644:user/completion/imdsnoop.fish \
	$(UNITDIR)/imdsnoop.service:644:$(O)/imdsnoop.service

$(O)/imdsnoop.service: scripts/systemd/imdsnoop.service Makefile FORCE
	$(Q)mkdir -p $(@D) && sed 's,/usr/local/bin/imdsnoop,$(PREFIX)/bin/imdsnoop,' $< >$@
install: $(BINARY) $(O)/imdsnoop.service
	$(Q)set -e; for i in $(INSTALLED); do mode=$${i#*:}; \
		install -D -m $${mode%%:*} $${i##*:} "$(DESTDIR)$${i%%:*}"; done
uninstall:
	$(Q)rm -f $(foreach i,$(INSTALLED),"$(DESTDIR)$(firstword $(subst :, ,$(i)))")
version:			# for scripts
	@echo $(VERSION)

clean:
	rm -rf $(O) imdsnoop

-include $(OBJ:.o=.d) $(BPF_OBJ:.o=.d) $(wildcard $(O)/san/*/*/*.d $(O)/san/*/*.d)
.DELETE_ON_ERROR:
.SECONDARY: $(BPF_OBJ) $(patsubst %.c,$(O)/san/%.o,$(SRC) $(wildcard tests/unit/*.c))
.PHONY: all minimum lab check-unit check-bpf check-e2e check-kernels kernels-table check-lint check-layers check-valgrind check-fuzz fuzz bench dist install uninstall version clean FORCE
