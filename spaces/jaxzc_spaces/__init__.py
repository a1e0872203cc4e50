"""Search spaces of the field, each registered as an entry point of the group `jaxzc.spaces`."""
