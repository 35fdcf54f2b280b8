/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of the kernel as the IOVA allocator needs, in user space.
 *
 * A thread is a CPU: shim_cpu says which. Time stands still until
 * shim_advance() runs what is due. Allocations fail when shim_fail_at says so.
 * Locks notice what lockdep would: nothing is locked under a spinlock, or with
 * preemption off.
 */
#ifndef __IOVA_SHIM_H
#define __IOVA_SHIM_H

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/types.h>
#include <linux/kernel.h>
#include <linux/align.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/rbtree.h>
#include <linux/sizes.h>

/* The kernel's header of the same name stays out. */
#define __IOMMU_PAGES_H

#define SHIM_CPUS	4
#define HZ		100
#define U16_MAX		((u16)~0U)
#define U32_MAX		((u32)~0U)
#define __percpu
#define __init
#define EXPORT_SYMBOL_IF_KUNIT(symbol) extern int shim_no_export
#define IS_ENABLED(option) 0
#define VISIBLE_IF_KUNIT static

#undef ____cacheline_aligned_in_smp
#define ____cacheline_aligned_in_smp __aligned(64)

#undef min
#undef max
#undef max3
#undef clamp
#define min(a, b) ({ __auto_type _a = (a); __auto_type _b = (b);	\
		     _a < _b ? _a : _b; })
#define max(a, b) ({ __auto_type _a = (a); __auto_type _b = (b);	\
		     _a > _b ? _a : _b; })
#define max3(a, b, c) max(max(a, b), c)
#define clamp(value, lo, hi) min(max(value, lo), hi)
#define swap(a, b) ({ __auto_type _old = (a); (a) = (b); (b) = _old; })

#undef order_base_2
#define order_base_2(n) ((n) > 1 ? ilog2((unsigned long)(n) - 1) + 1 : 0)

#undef READ_ONCE
#define READ_ONCE(x) ((typeof(x))shim_read(&(x), sizeof(x)))
unsigned long shim_read(const volatile void *p, size_t size);

/* What the test must not survive. */
#define shim_bug(...) shim_bug_at(__FILE__, __LINE__, __VA_ARGS__)
void shim_bug_at(const char *file, int line, const char *form, ...)
	__noreturn __printf(3, 4);

#undef WARN_ON
#define WARN_ON(condition) ({						\
	bool _warn = (condition);					\
	if (_warn)							\
		shim_bug("WARN_ON(%s)", #condition);			\
	_warn; })
#define pr_warn(...) fprintf(stderr, __VA_ARGS__)

/* Where an interrupt may come: at locks, allocations and exchanges. */
void shim_may_interrupt(void);

/* Atomics: all fully ordered, so that the thread sanitizer understands them. */
typedef struct {
	s64 counter;
} atomic64_t;

#define atomic_read(v)		__atomic_load_n(&(v)->counter, __ATOMIC_RELAXED)
#define atomic_set(v, i)	__atomic_store_n(&(v)->counter, i,	\
						 __ATOMIC_SEQ_CST)
#define atomic_read_acquire(v)	__atomic_load_n(&(v)->counter, __ATOMIC_ACQUIRE)
#define atomic_inc(v)		((void)__atomic_add_fetch(&(v)->counter, 1, \
							  __ATOMIC_SEQ_CST))
#define atomic_xchg(v, i)	__atomic_exchange_n(&(v)->counter, i,	\
						    __ATOMIC_SEQ_CST)
#define atomic64_read(v)	__atomic_load_n(&(v)->counter, __ATOMIC_SEQ_CST)
#define atomic64_read_acquire(v) atomic64_read(v)
#define atomic64_set(v, i)	atomic_set(v, i)
#define atomic64_inc_return(v)	__atomic_add_fetch(&(v)->counter, 1,	\
						   __ATOMIC_SEQ_CST)
#define atomic64_try_cmpxchg(v, old, new)				\
	__atomic_compare_exchange_n(&(v)->counter, old, new, false,	\
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define atomic_long_read(v)	(shim_nr_reads++, atomic_read(v))
#define atomic_long_xchg(v, i)	(shim_may_interrupt(), atomic_xchg(v, i))
#define atomic_long_or(i, v)	__atomic_or_fetch(&(v)->counter, i,	\
						  __ATOMIC_SEQ_CST)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	(shim_may_interrupt(),			\
	__atomic_store_n(p, v, __ATOMIC_RELEASE), shim_may_interrupt())
#undef smp_mb
#ifdef __SANITIZE_THREAD__
/* It does not know fences, and the atomics have them. */
#define smp_mb()		barrier()
#else
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif
#undef smp_rmb
#define smp_rmb()		smp_mb()
#define smp_mb__before_atomic()	smp_mb()
#define smp_mb__after_atomic()	smp_mb()

/* Bits, shared by threads as well */
#undef set_bit
#undef clear_bit
#undef test_bit
#define shim_word(nr, map)	(&((unsigned long *)(map))[BIT_WORD(nr)])
#define set_bit(nr, map)	((void)__atomic_fetch_or(		\
	shim_word(nr, map), BIT_MASK(nr), __ATOMIC_SEQ_CST))
#define clear_bit(nr, map)	((void)__atomic_fetch_and(		\
	shim_word(nr, map), ~BIT_MASK(nr), __ATOMIC_SEQ_CST))
#define test_bit(nr, map)	(!!(__atomic_load_n(shim_word(nr, map),	\
	__ATOMIC_RELAXED) & BIT_MASK(nr)))

bool try_cmpxchg_acquire(unsigned int *lock, unsigned int *old,
			 unsigned int new);
#define preempt_disable()	((void)shim_nr_locks++)
#define preempt_enable()	((void)shim_nr_locks--)
void cpu_relax(void);

/* What an interrupt does, at any of these places */
extern __thread void (*shim_interrupt)(void);
/* Only at allocations */
extern void (*shim_in_alloc)(void);
/* While somebody waits for another CPU */
extern void (*shim_in_wait)(void);

/* Locks */
typedef struct shim_lock {
	pthread_mutex_t mutex;
	pthread_t owner;
	bool held;
} spinlock_t;

struct mutex {
	pthread_mutex_t mutex;
};

extern __thread int shim_nr_locks;
/* Words looked at that whoever gives something back writes to */
extern __thread unsigned long shim_nr_reads;

void spin_lock_init(spinlock_t *lock);
spinlock_t *shim_lock(spinlock_t *lock);
void shim_unlock(spinlock_t **lock);
bool shim_held(spinlock_t *lock);
struct mutex *shim_mutex_lock(struct mutex *lock);
void shim_mutex_unlock(struct mutex **lock);

#define DEFINE_MUTEX(name) struct mutex name = { PTHREAD_MUTEX_INITIALIZER }
#define lockdep_assert_held(lock) do {					\
	if (!shim_held(lock))						\
		shim_bug("%s is not held", #lock);			\
} while (0)

#define SHIM_NAME2(a, b) a##b
#define SHIM_NAME1(a, b) SHIM_NAME2(a, b)
#define SHIM_UNIQUE SHIM_NAME1(shim_guard_, __COUNTER__)
#define shim_guard_spinlock_irqsave(lock, name)				\
	spinlock_t *name __attribute__((cleanup(shim_unlock), unused)) = \
		shim_lock(lock)
#define shim_guard_mutex(lock, name)					\
	struct mutex *name						\
		__attribute__((cleanup(shim_mutex_unlock), unused)) =	\
		shim_mutex_lock(lock)
#define shim_plain_spinlock_irqsave(lock) shim_guard_spinlock_irqsave(	\
	lock, SHIM_UNIQUE)
#define shim_plain_mutex(lock) shim_guard_mutex(lock, SHIM_UNIQUE)
#define guard(type) shim_plain_##type
#define scoped_guard(type, lock)					\
	for (shim_guard_##type(lock, shim_scope), *shim_done = NULL;	\
	     !shim_done; shim_done = (void *)1)

/* Memory */
#undef __GFP_NOWARN
#undef GFP_ATOMIC
#undef GFP_KERNEL
#define GFP_KERNEL	0
#define GFP_ATOMIC	1
#define __GFP_NOWARN	2

extern long shim_fail_at;	/* the allocation to fail, counted down */
extern long shim_nr_allocated;

void *shim_alloc(size_t size, int gfp);
bool shim_fails(void);
void kfree(void *p);

#define shim_gfp(...)	(__VA_OPT__((__VA_ARGS__) +) GFP_KERNEL)
#define kmalloc_obj(v, ...)						\
	((typeof(v) *)shim_alloc(sizeof(v), shim_gfp(__VA_ARGS__)))
#define kzalloc_obj(v, ...) kmalloc_obj(v, ##__VA_ARGS__)
#define kcalloc(n, size, gfp) shim_alloc((n) * (size), gfp)
#define kzalloc_flex(v, member, count, gfp)				\
	((typeof(v) *)shim_alloc(sizeof(v) +				\
				 (count) * sizeof((v).member[0]), gfp))

static inline void shim_auto_kfree(void *p)
{
	kfree(*(void **)p);
}

#define __free(how) __attribute__((cleanup(shim_auto_##how)))
#define no_free_ptr(p) ({ typeof(p) _kept = (p); (p) = NULL; _kept; })

/* Per-CPU data; tests may change the number of CPUs between two spaces. */
extern __thread int shim_cpu;
extern int shim_nr_cpus;

#define alloc_percpu(type) ((type *)shim_alloc(shim_nr_cpus * sizeof(type), 0))
#define free_percpu(p) kfree(p)
#define per_cpu_ptr(p, cpu) (&(p)[cpu])
#define raw_cpu_ptr(p) per_cpu_ptr(p, shim_cpu)
#define raw_smp_processor_id() shim_cpu
#define num_online_cpus() shim_nr_cpus
#define for_each_possible_cpu(cpu) for (cpu = 0; cpu < shim_nr_cpus; cpu++)
#define for_each_possible_cpu_wrap(cpu, start)				\
	for (int _n = 0; _n < shim_nr_cpus &&			\
	     (cpu = ((start) + _n) % shim_nr_cpus, true); _n++)

enum cpuhp_state {
	CPUHP_INVALID = -1,
	CPUHP_BP_PREPARE_DYN,
};

int cpuhp_setup_state_multi(enum cpuhp_state state, const char *name,
			    void *startup,
			    int (*dead)(unsigned int cpu,
					struct hlist_node *node));
void cpuhp_state_add_instance_nocalls(int state, struct hlist_node *node);
void cpuhp_state_remove_instance_nocalls(int state, struct hlist_node *node);
void shim_lose_cpu(unsigned int cpu);

#define core_initcall(func)						\
	static void __attribute__((constructor)) shim_start_##func(void) \
	{								\
		func();							\
	}

/* Time */
struct timer_list {
	void (*func)(struct timer_list *timer);
	unsigned long expires;
	bool pending;
	struct timer_list *next;
};

struct work_struct {
	void (*func)(struct work_struct *work);
};

struct delayed_work {
	struct work_struct work;
	struct timer_list timer;
};

#undef jiffies
#define jiffies __atomic_load_n(&shim_jiffies, __ATOMIC_RELAXED)
extern unsigned long shim_jiffies;

#define msecs_to_jiffies(ms) ((ms) * HZ / 1000)
#define timer_setup(timer, f, flags) ((timer)->func = (f),		\
				      (timer)->pending = false)
#define timer_container_of(var, pointer, member)			\
	container_of(pointer, typeof(*(var)), member)
#define INIT_DELAYED_WORK(dwork, f) ((dwork)->work.func = (f),		\
	timer_setup(&(dwork)->timer, shim_run_work, 0))

void mod_timer(struct timer_list *timer, unsigned long expires);
void timer_shutdown_sync(struct timer_list *timer);
void shim_run_work(struct timer_list *timer);
bool delayed_work_pending(struct delayed_work *work);
void schedule_delayed_work(struct delayed_work *work, unsigned long delay);
void cancel_delayed_work_sync(struct delayed_work *work);
void shim_advance(unsigned long ticks);

/* A map from numbers to pointers */
struct shim_entry {
	unsigned long index;
	void *entry;
	struct shim_entry *next;
};

#define SHIM_BUCKETS 1024

struct xarray {
	spinlock_t lock;
	struct shim_entry *buckets[SHIM_BUCKETS];
};

#define XA_FLAGS_LOCK_IRQ 0
#define xa_init_flags(xa, flags) (spin_lock_init(&(xa)->lock),		\
	(void)memset((xa)->buckets, 0, sizeof((xa)->buckets)))
#define xa_lock_irqsave(xa, flags) ((flags) = 0, (void)shim_lock(&(xa)->lock))
#define xa_unlock_irqrestore(xa, flags) do {				\
	spinlock_t *_lock = &(xa)->lock;				\
	(void)(flags);							\
	shim_unlock(&_lock);						\
} while (0)

void *xa_load(struct xarray *xa, unsigned long index);
void *__xa_store(struct xarray *xa, unsigned long index, void *entry, int gfp);
void *__xa_erase(struct xarray *xa, unsigned long index);
bool xa_is_err(const void *entry);
void xa_destroy(struct xarray *xa);

#define list_entry_is_head(pos, head, member) (&(pos)->member == (head))

/* A list is a ring: the head moves to before the entry. */
static inline void list_rotate_to_front(struct list_head *entry,
					struct list_head *head)
{
	list_move_tail(head, entry);
}

/* A file in debugfs */
struct seq_file {
	void *private;
	FILE *out;
};

#define seq_has_overflowed(m)	((void)(m), false)
#define cond_resched()		((void)0)

struct file_operations {
	int (*show)(struct seq_file *m, void *unused);
};

struct dentry {
	const struct file_operations *fops;
	void *data;
};

#define seq_printf(m, ...) fprintf((m)->out, __VA_ARGS__)
#define DEFINE_SHOW_ATTRIBUTE(name)					\
	static const struct file_operations name##_fops = {		\
		.show = name##_show,					\
	}

struct dentry *debugfs_create_dir(const char *name, struct dentry *parent);
struct dentry *debugfs_create_file(const char *name, unsigned short mode,
				   struct dentry *parent, void *data,
				   const struct file_operations *fops);
void debugfs_remove(struct dentry *dentry);

/* A domain of an IOMMU, and pages of its tables */
struct iommu_domain;

struct iommu_domain_ops {
	void (*flush_iotlb_all)(struct iommu_domain *domain);
};

struct iommu_domain {
	const struct iommu_domain_ops *ops;
};

struct iommu_pages_list {
	struct list_head pages;
};

#define IOMMU_PAGES_LIST_INIT(name)					\
	((struct iommu_pages_list){ .pages = LIST_HEAD_INIT((name).pages) })

static inline void iommu_pages_list_splice(struct iommu_pages_list *from,
					   struct iommu_pages_list *to)
{
	list_splice(&from->pages, &to->pages);
}

/* The test brings it, to see that nothing is freed too early. */
void iommu_put_pages_list(struct iommu_pages_list *list);

#endif /* __IOVA_SHIM_H */
