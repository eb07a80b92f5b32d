"""FaceCap, as Blender sees it: nothing is imported until the add-on is enabled."""


def register() -> None:
    from .facecap_addon import addon

    addon.register()


def unregister() -> None:
    from .facecap_addon import addon

    addon.unregister()
