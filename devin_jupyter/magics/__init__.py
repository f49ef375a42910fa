"""The magics: the only place that knows IPython. Thin: what they do, `dj.*` does for scripts too."""
