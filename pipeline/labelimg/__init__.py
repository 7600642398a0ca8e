"""LabelImg on a data set: a process of its own, so that OpenCV's Qt and LabelImg's never meet.

``launch`` plans the session, starts the process, and says in the end what changed. The process itself, which is
``python -m pipeline.labelimg``, needs nothing but the standard library, LabelImg and Qt.
"""
