/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/kernel/drop_reason.c user/kernel/kernel_btf.c user/kernel/features.c user/kernel/hooks.c */
#include <unistd.h>
#include <bpf/btf.h>

#include "../../user/kernel/drop_reason.h"
#include "../../user/kernel/features.h"
#include "../../user/kernel/kernel_btf.h"
#include "unit.h"

/* Numbers as on Debian's 6.1, out of order, with what is no reason. */
static struct btf *sample_btf(int args)
{
	struct btf *btf = btf__new_empty();
	int proto, pointer, number;

	assert_non_null(btf);
	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	assert_true(btf__add_struct(btf, "padding", 8) > 0);
	assert_int_equal(btf__add_field(btf, "a", number, 0, 0), 0);
	assert_true(btf__add_enum(btf, "skb_drop_reason", 4) > 0);
	assert_int_equal(btf__add_enum_value(btf, "SKB_NOT_DROPPED_YET", 0), 0);
	assert_int_equal(btf__add_enum_value(btf, "SKB_DROP_REASON_IP_INHDR", 10), 0);
	assert_int_equal(btf__add_enum_value(btf, "SKB_DROP_REASON_NOT_SPECIFIED", 1), 0);
	assert_int_equal(btf__add_enum_value(btf, "SKB_DROP_REASON_NETFILTER_DROP", 7), 0);
	assert_int_equal(btf__add_enum_value(btf, "SKB_DROP_REASON_MAX", 71), 0);
	proto = btf__add_func_proto(btf, 0);
	for (int i = 0; i < args + 1; i++)
		assert_int_equal(btf__add_func_param(btf, "x", 0), 0);
	pointer = btf__add_ptr(btf, proto);
	assert_true(btf__add_typedef(btf, "btf_trace_kfree_skb", pointer) > 0);
	assert_true(btf__add_typedef(btf, "btf_trace_odd", number) > 0);
	return btf;
}

/* Writes to a temporary file, whose name goes to path. */
static void write_file(char *path, const void *data, size_t len)
{
	int fd;

	strcpy(path, "/tmp/imdsnoop-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void reasons_come_from_this_kernels_numbers(void **state)
{
	struct btf *btf = sample_btf(3);
	struct drop_reasons *d;
	uint32_t number;

	(void)state;
	assert_int_equal(drop_reasons_new(btf, "/nonexistent", &d), 0);
	btf__free(btf); /* not needed after the call */
	assert_string_equal(drop_reasons_name(d, 10), "IP_INHDR");
	assert_string_equal(drop_reasons_name(d, 1), "NOT_SPECIFIED");
	assert_string_equal(drop_reasons_name(d, 7), "NETFILTER_DROP");
	assert_string_equal(drop_reasons_name(d, 15), "reason:15");
	assert_string_equal(drop_reasons_name(d, 71), "reason:71"); /* MAX is none */
	assert_string_equal(drop_reasons_name(d, 0x20005), "subsys2:5");
	assert_int_equal(drop_reasons_number(d, "IP_INHDR", &number), 0);
	assert_int_equal(number, 10);
	assert_int_equal(drop_reasons_number(d, "SKB_DROP_REASON_NETFILTER_DROP", &number), 0);
	assert_int_equal(number, 7);
	assert_int_equal(drop_reasons_number(d, "IP_INHDR2", &number), -ENOENT);
	drop_reasons_free(d);
}

static void without_btf_no_reason_has_a_name(void **state)
{
	struct drop_reasons *d;
	uint32_t number;

	(void)state;
	assert_int_equal(drop_reasons_new(NULL, "/nonexistent", &d), 0);
	assert_string_equal(drop_reasons_name(d, 2), "reason:2");
	assert_int_equal(drop_reasons_number(d, "IP_INHDR", &number), -ENOENT);
	drop_reasons_free(d);
	drop_reasons_free(NULL);
}

static void unknown_numbers_are_bounded_and_stay_valid(void **state)
{
	struct drop_reasons *d;
	const char *first;

	(void)state;
	assert_int_equal(drop_reasons_new(NULL, "/nonexistent", &d), 0);
	first = drop_reasons_name(d, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		drop_reasons_name(d, 2000 + i);
	assert_string_equal(first, "reason:1000");
	assert_ptr_equal(drop_reasons_name(d, 1000), first);
	assert_string_equal(drop_reasons_name(d, 9999), "other");
	drop_reasons_free(d);
}

static void location_is_the_function_that_holds_the_address(void **state)
{
	static const char symbols[] = "0000000000000000 A fixed_percpu_data\n"
				      "ffffffff81000000 T _text\n"
				      "ffffffff81100000 T ip_forward\n"
				      "ffffffff81100400 D data_is_no_function\n"
				      "ffffffff81100800 t ip_forward_options\n"
				      "garbage line\n"
				      "ffffffffc0001000 t br_flood\t[bridge]\n"
				      "ffffffffc0000000 t br_forward\t[bridge]\n";
	struct drop_reasons *d;
	char path[64];

	(void)state;
	write_file(path, symbols, sizeof(symbols) - 1);
	assert_int_equal(drop_reasons_new(NULL, path, &d), 0);
	assert_string_equal(drop_reasons_location(d, 0xffffffff81100123), "ip_forward");
	assert_string_equal(drop_reasons_location(d, 0xffffffff81100456), "ip_forward");
	/* a return address right behind the last call of a function still belongs to that function */
	assert_string_equal(drop_reasons_location(d, 0xffffffff81100800), "ip_forward");
	assert_string_equal(drop_reasons_location(d, 0xffffffff81100801), "ip_forward_options");
	assert_string_equal(drop_reasons_location(d, 0xffffffffc0000010), "br_forward");
	assert_string_equal(drop_reasons_location(d, 0xffffffffc0001010), "br_flood");
	assert_string_equal(drop_reasons_location(d, 0xffffffff90000000), ""); /* far behind any symbol */
	assert_string_equal(drop_reasons_location(d, 0), "");
	unlink(path); /* answers are kept */
	assert_string_equal(drop_reasons_location(d, 0xffffffff81100123), "ip_forward");
	drop_reasons_free(d);
}

static void hidden_addresses_give_no_location(void **state)
{
	static const char symbols[] = "0000000000000000 T ip_forward\n0000000000000000 T ip_rcv\n";
	struct drop_reasons *d;
	char path[64];

	(void)state;
	write_file(path, symbols, sizeof(symbols) - 1);
	assert_int_equal(drop_reasons_new(NULL, path, &d), 0);
	assert_string_equal(drop_reasons_location(d, 0xffffffff81100123), "");
	assert_string_equal(drop_reasons_location(d, 0xffffffff81100456), "");
	unlink(path);
	drop_reasons_free(d);
}

static void tracepoint_arguments_are_counted(void **state)
{
	(void)state;
	for (int args = 2; args <= 4; args++) {
		struct btf *btf = sample_btf(args);

		assert_int_equal(features_tracepoint_args(btf, "kfree_skb"), args);
		assert_int_equal(features_tracepoint_args(btf, "absent"), 0);
		assert_int_equal(features_tracepoint_args(btf, "odd"), 0);
		btf__free(btf);
	}
	assert_int_equal(features_tracepoint_args(NULL, "kfree_skb"), 0);
}

static const char *const tracepoints[] = { "kfree_skb", "odd", "absent", NULL };
static const char *const enums[] = { "skb_drop_reason", NULL };

static void extract_holds_what_was_asked_for(void **state)
{
	struct btf *whole = sample_btf(4), *btf;
	struct drop_reasons *d;
	char path[64];
	const void *raw;
	__u32 len;

	(void)state;
	raw = btf__raw_data(whole, &len);
	write_file(path, raw, len);
	assert_int_equal(kernel_btf_load(path, tracepoints, enums, &btf), 0);
	unlink(path);
	btf__free(whole);
	assert_int_equal(features_tracepoint_args(btf, "kfree_skb"), 4);
	assert_int_equal(features_tracepoint_args(btf, "odd"), 0);
	assert_true(btf__find_by_name(btf, "padding") < 0);
	assert_int_equal(drop_reasons_new(btf, NULL, &d), 0);
	assert_string_equal(drop_reasons_name(d, 10), "IP_INHDR");
	drop_reasons_free(d);
	btf__free(btf);
}

/* Each cut and many damaged copies: an error or a result, never a bad read (ASan watches). */
static void broken_btf_is_refused(void **state)
{
	struct btf *whole = sample_btf(3), *btf;
	char path[64], *copy;
	const char *raw;
	int err, refused = 0;
	__u32 len;

	(void)state;
	raw = btf__raw_data(whole, &len);
	for (__u32 i = 0; i < len; i++) {
		copy = malloc(len);
		memcpy(copy, raw, len);
		write_file(path, copy, i); /* cut; an empty file too */
		assert_int_equal(kernel_btf_load(path, tracepoints, enums, &btf), -EINVAL);
		unlink(path);
		copy[i] ^= 0xff;
		write_file(path, copy, len);
		err = kernel_btf_load(path, tracepoints, enums, &btf);
		if (!err)
			btf__free(btf);
		refused += err != 0;
		unlink(path);
		free(copy);
	}
	assert_true(refused > 0);
	assert_int_equal(kernel_btf_load("/nonexistent", tracepoints, enums, &btf), -ENOENT);
	btf__free(whole);
}

static void noted_rows_are_replaced_and_bounded(void **state)
{
	static struct features f;
	char name[32], why[1000];

	(void)state;
	memset(why, 'w', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	features_note(&f, "drops", "ok", "");
	features_note(&f, "drops", "missing", "attach was refused");
	assert_int_equal(f.rows_len, 1);
	assert_string_equal(features_find(&f, "drops")->state, "missing");
	assert_string_equal(features_find(&f, "drops")->why, "attach was refused");
	features_note(&f, "drops", "degraded", features_find(&f, "drops")->why);
	assert_string_equal(features_find(&f, "drops")->why, "attach was refused");
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "row%d", i);
		features_note(&f, name, "ok", why);
	}
	assert_int_equal(f.rows_len, FEATURES_MAX);
	assert_int_equal(strlen(features_find(&f, "row0")->why), FEATURES_WHY_LEN - 1);
	assert_null(features_find(&f, "row99"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons_come_from_this_kernels_numbers),
		cmocka_unit_test(without_btf_no_reason_has_a_name),
		cmocka_unit_test(unknown_numbers_are_bounded_and_stay_valid),
		cmocka_unit_test(location_is_the_function_that_holds_the_address),
		cmocka_unit_test(hidden_addresses_give_no_location),
		cmocka_unit_test(tracepoint_arguments_are_counted),
		cmocka_unit_test(extract_holds_what_was_asked_for),
		cmocka_unit_test(broken_btf_is_refused),
		cmocka_unit_test(noted_rows_are_replaced_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
