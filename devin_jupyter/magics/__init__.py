"""The magics: the only place that knows IPython. They are thin: `dj.*` does the same for scripts."""
