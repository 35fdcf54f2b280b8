/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_path

#if !defined(_TRACE_DMA_PATH_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_DMA_PATH_H

#include <linux/device.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(dma_path_result,
		    TP_PROTO(struct device *dev, const char *name, int ret),
		    TP_ARGS(dev, name, ret),

		    TP_STRUCT__entry(__string(device, dev_name(dev))
				     __string(name, name)
				     __field(int, ret)),

		    TP_fast_assign(__assign_str(device);
				   __assign_str(name);
				   __entry->ret = ret;),

		    TP_printk("%s name=%s ret=%d", __get_str(device),
			      __get_str(name), __entry->ret)
);

/* A layer was pushed, or not (ret < 0). */
DEFINE_EVENT(dma_path_result, dma_layer_push,
	     TP_PROTO(struct device *dev, const char *name, int ret),
	     TP_ARGS(dev, name, ret));

/* The top layer was popped, or not (ret < 0). */
DEFINE_EVENT(dma_path_result, dma_layer_pop,
	     TP_PROTO(struct device *dev, const char *name, int ret),
	     TP_ARGS(dev, name, ret));

/* A back end was asked: 0 it took the device, -ENODEV not its device. */
DEFINE_EVENT(dma_path_result, dma_backend_probe,
	     TP_PROTO(struct device *dev, const char *name, int ret),
	     TP_ARGS(dev, name, ret));

/* A back end no longer serves the device. */
TRACE_EVENT(dma_backend_leave,
	    TP_PROTO(struct device *dev, const char *name),
	    TP_ARGS(dev, name),

	    TP_STRUCT__entry(__string(device, dev_name(dev))
			     __string(name, name)),

	    TP_fast_assign(__assign_str(device);
			   __assign_str(name);),

	    TP_printk("%s name=%s", __get_str(device), __get_str(name))
);

#endif /* _TRACE_DMA_PATH_H */

#include <trace/define_trace.h>
