"""The GADF format of event lists, responses and index tables; readers and ``write`` share only ``layouts``."""
