"""Names that Cirrus keeps for itself: tasks around a batch job, and the target of what workflows send."""

from __future__ import annotations

PRE_BATCH, POST_BATCH = "pre-batch", "post-batch"
MESSAGES = "messages"
