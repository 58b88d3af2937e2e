"""The built-in tasks, usable by name from any project, and the kit they are made of.

Importing this package imports nothing else: a task's own module is imported where the task runs.
"""

from __future__ import annotations

BUILTIN: dict[str, str] = {
    "publish": "cirrus.tasks.publish:Publish",
    "copy-assets": "cirrus.tasks.copy_assets:CopyAssets",
    "convert-to-cog": "cirrus.tasks.convert_to_cog:ConvertToCog",
    "add-preview": "cirrus.tasks.add_preview:AddPreview",
}
"""Name of each built-in task, and where its Task class stands ("module:Class")."""

INTERNAL: dict[str, str] = {
    "cirrus.get-object": "cirrus.tasks.object_calls:get_object",
    "cirrus.put-object": "cirrus.tasks.object_calls:put_object",
    "cirrus.read-items": "cirrus.tasks.object_items:read_items",
    "cirrus.write-files": "cirrus.tasks.object_calls:write_files",
}
"""What state machines call of object stores, by names that no project can use; functions that run in workers."""
