// SPDX-License-Identifier: GPL-2.0-only
/* The functions of shim.h. */
#include <stdarg.h>

#include "shim.h"

#ifdef __SANITIZE_THREAD__
/* A function of its own, lest it be inlined into one that is watched. */
#define shim_quiet __attribute__((no_sanitize_thread))
#else
#define shim_quiet
#endif

/* Races by design, with writers that hold a lock. */
shim_quiet noinline unsigned long shim_read(const volatile void *p, size_t size)
{
	return size == sizeof(int) ? *(const volatile unsigned int *)p
				   : *(const volatile unsigned long *)p;
}

void shim_bug_at(const char *file, int line, const char *form, ...)
{
	va_list list;

	va_start(list, form);
	printf("# %s:%d: ", file, line);
	vprintf(form, list);
	printf("\n");
	va_end(list);
	fflush(stdout);
	abort();
}

/*
 * Locks
 */

__thread int shim_nr_locks;
__thread unsigned long shim_nr_reads;

void spin_lock_init(spinlock_t *lock)
{
	pthread_mutex_init(&lock->mutex, NULL);
	lock->held = false;
}

bool shim_held(spinlock_t *lock)
{
	return __atomic_load_n(&lock->held, __ATOMIC_RELAXED) &&
	       pthread_equal(lock->owner, pthread_self());
}

spinlock_t *shim_lock(spinlock_t *lock)
{
	if (shim_nr_locks)
		shim_bug("a spinlock under another one");
	shim_may_interrupt();
	pthread_mutex_lock(&lock->mutex);
	shim_nr_locks++;
	lock->owner = pthread_self();
	__atomic_store_n(&lock->held, true, __ATOMIC_RELAXED);
	return lock;
}

void shim_unlock(spinlock_t **lock)
{
	__atomic_store_n(&(*lock)->held, false, __ATOMIC_RELAXED);
	shim_nr_locks--;
	pthread_mutex_unlock(&(*lock)->mutex);
	shim_may_interrupt();
}

/* Not more than two levels: a softirq and a hardirq. */
__thread void (*shim_interrupt)(void);
static __thread int shim_level;

void shim_may_interrupt(void)
{
	int locks = shim_nr_locks;

	if (!shim_interrupt || shim_level == 2)
		return;
	shim_level++;
	shim_nr_locks = 0;
	shim_interrupt();
	shim_nr_locks = locks;
	shim_level--;
}

bool try_cmpxchg_acquire(unsigned int *lock, unsigned int *old,
			 unsigned int new)
{
	if (!shim_nr_locks)
		shim_bug("a pool is locked with preemption on");
	if (!__atomic_compare_exchange_n(lock, old, new, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	shim_may_interrupt();
	return true;
}

void (*shim_in_wait)(void);

void cpu_relax(void)
{
	if (shim_in_wait)
		shim_in_wait();
	else
		sched_yield();
}

struct mutex *shim_mutex_lock(struct mutex *lock)
{
	if (shim_nr_locks)
		shim_bug("a mutex under a spinlock");
	pthread_mutex_lock(&lock->mutex);
	return lock;
}

void shim_mutex_unlock(struct mutex **lock)
{
	pthread_mutex_unlock(&(*lock)->mutex);
}

/*
 * Memory
 */

long shim_fail_at;
long shim_nr_allocated;

bool shim_fails(void)
{
	return shim_fail_at &&
	       !__atomic_sub_fetch(&shim_fail_at, 1, __ATOMIC_SEQ_CST);
}

void (*shim_in_alloc)(void);

/* Always zeroed, lest a test depend on what was there; poisoned by ASan. */
void *shim_alloc(size_t size, int gfp)
{
	void *p;

	if (gfp == GFP_KERNEL && shim_nr_locks)
		shim_bug("an allocation that may sleep under a spinlock");
	if (shim_fails())
		return NULL;
	shim_may_interrupt();
	if (shim_in_alloc)
		shim_in_alloc();
	/* What has lines of its own must start at one. */
	p = aligned_alloc(64, ALIGN(size, 64));
	if (!p)
		shim_bug("no memory");
	memset(p, 0, size);
	__atomic_add_fetch(&shim_nr_allocated, 1, __ATOMIC_SEQ_CST);
	return p;
}

void kfree(void *p)
{
	if (p)
		__atomic_sub_fetch(&shim_nr_allocated, 1, __ATOMIC_SEQ_CST);
	free(p);
}

/*
 * CPUs
 */

__thread int shim_cpu;
int shim_nr_cpus = SHIM_CPUS;

static int (*shim_dead)(unsigned int cpu, struct hlist_node *node);
static struct hlist_head shim_instances;

int cpuhp_setup_state_multi(enum cpuhp_state state, const char *name,
			    void *startup,
			    int (*dead)(unsigned int cpu,
					struct hlist_node *node))
{
	shim_dead = dead;
	return state + 1;
}

void cpuhp_state_add_instance_nocalls(int state, struct hlist_node *node)
{
	hlist_add_head(node, &shim_instances);
}

void cpuhp_state_remove_instance_nocalls(int state, struct hlist_node *node)
{
	hlist_del(node);
}

void shim_lose_cpu(unsigned int cpu)
{
	struct hlist_node *node;

	for (node = shim_instances.first; node; node = node->next)
		shim_dead(cpu, node);
}

/*
 * Time
 */

unsigned long shim_jiffies;

static struct timer_list *shim_timers;
static pthread_mutex_t shim_timers_lock = PTHREAD_MUTEX_INITIALIZER;
/* Held while timers run, so that one can wait for them. */
static pthread_mutex_t shim_running = PTHREAD_MUTEX_INITIALIZER;

static void timer_start(struct timer_list *timer, unsigned long expires)
{
	pthread_mutex_lock(&shim_timers_lock);
	if (!timer->func) {
		pthread_mutex_unlock(&shim_timers_lock);
		return;
	}
	timer->expires = expires;
	if (!timer->pending) {
		timer->next = shim_timers;
		shim_timers = timer;
	}
	__atomic_store_n(&timer->pending, true, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&shim_timers_lock);
}

/* Flushes' timers: others rely on one as soon as they are told that it runs. */
void mod_timer(struct timer_list *timer, unsigned long expires)
{
	if (!shim_nr_locks)
		shim_bug("a timer that is started with preemption on");
	timer_start(timer, expires);
}

static void timer_unlink(struct timer_list *timer)
{
	struct timer_list **link;

	for (link = &shim_timers; *link; link = &(*link)->next) {
		if (*link == timer) {
			*link = timer->next;
			break;
		}
	}
	__atomic_store_n(&timer->pending, false, __ATOMIC_SEQ_CST);
}

void timer_shutdown_sync(struct timer_list *timer)
{
	pthread_mutex_lock(&shim_running);
	pthread_mutex_lock(&shim_timers_lock);
	timer_unlink(timer);
	timer->func = NULL;
	pthread_mutex_unlock(&shim_timers_lock);
	pthread_mutex_unlock(&shim_running);
}

void shim_run_work(struct timer_list *timer)
{
	struct delayed_work *work = container_of(timer, struct delayed_work,
						 timer);

	work->work.func(&work->work);
}

bool delayed_work_pending(struct delayed_work *work)
{
	return __atomic_load_n(&work->timer.pending, __ATOMIC_RELAXED);
}

void schedule_delayed_work(struct delayed_work *work, unsigned long delay)
{
	if (!delayed_work_pending(work))
		timer_start(&work->timer, jiffies + delay);
}

void cancel_delayed_work_sync(struct delayed_work *work)
{
	timer_shutdown_sync(&work->timer);
}

static struct timer_list *timer_due(void)
{
	unsigned long now = jiffies;
	struct timer_list *timer;

	pthread_mutex_lock(&shim_timers_lock);
	for (timer = shim_timers; timer; timer = timer->next)
		if ((long)(now - timer->expires) >= 0)
			break;
	if (timer)
		timer_unlink(timer);
	pthread_mutex_unlock(&shim_timers_lock);
	return timer;
}

/* Let time pass, and run what is due at each tick. */
void shim_advance(unsigned long ticks)
{
	struct timer_list *timer;

	while (ticks--) {
		__atomic_add_fetch(&shim_jiffies, 1, __ATOMIC_RELAXED);
		pthread_mutex_lock(&shim_running);
		while ((timer = timer_due()))
			timer->func(timer);
		pthread_mutex_unlock(&shim_running);
	}
}

/*
 * A hash table whose entries stay until its end, so that readers need no lock
 */

static int shim_error;

static struct shim_entry *xa_find_entry(struct xarray *xa, unsigned long index)
{
	struct shim_entry *e;

	e = __atomic_load_n(&xa->buckets[index % SHIM_BUCKETS],
			    __ATOMIC_ACQUIRE);
	while (e && e->index != index)
		e = e->next;
	return e;
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	struct shim_entry *e = xa_find_entry(xa, index);

	return e ? __atomic_load_n(&e->entry, __ATOMIC_ACQUIRE) : NULL;
}

void *__xa_store(struct xarray *xa, unsigned long index, void *entry, int gfp)
{
	struct shim_entry *e = xa_find_entry(xa, index);

	lockdep_assert_held(&xa->lock);
	if (shim_fails())
		return &shim_error;
	if (!e) {
		e = calloc(1, sizeof(*e));
		e->index = index;
		e->next = xa->buckets[index % SHIM_BUCKETS];
		__atomic_store_n(&xa->buckets[index % SHIM_BUCKETS], e,
				 __ATOMIC_RELEASE);
	}
	return __atomic_exchange_n(&e->entry, entry, __ATOMIC_ACQ_REL);
}

void *__xa_erase(struct xarray *xa, unsigned long index)
{
	struct shim_entry *e = xa_find_entry(xa, index);

	lockdep_assert_held(&xa->lock);
	return e ? __atomic_exchange_n(&e->entry, NULL, __ATOMIC_ACQ_REL)
		 : NULL;
}

bool xa_is_err(const void *entry)
{
	return entry == &shim_error;
}

void xa_destroy(struct xarray *xa)
{
	unsigned int i;

	for (i = 0; i < SHIM_BUCKETS; i++) {
		while (xa->buckets[i]) {
			struct shim_entry *e = xa->buckets[i];

			xa->buckets[i] = e->next;
			free(e);
		}
	}
}

/*
 * debugfs
 */

struct dentry *debugfs_create_dir(const char *name, struct dentry *parent)
{
	static struct dentry dir;

	return &dir;
}

struct dentry *debugfs_create_file(const char *name, unsigned short mode,
				   struct dentry *parent, void *data,
				   const struct file_operations *fops)
{
	struct dentry *file = calloc(1, sizeof(*file));

	file->fops = fops;
	file->data = data;
	return file;
}

void debugfs_remove(struct dentry *dentry)
{
	free(dentry);
}
