"""Configuration of a Triton server for the exported network, as CMS's SONIC service uses it."""

from __future__ import annotations

from ptmiss.learn.onnx.file import Wanted
from ptmiss.learn.settings.export import ExportSettings


def config(md5: str, settings: ExportSettings, network: Wanted) -> str:
    """Return config.pbtxt: dynamic batching, and the checksum that the server verifies on loading.

    network: its interface; md5: of model.onnx, which goes into folder 1 of the model, its first
    version. The checksum is in the form of Triton's checksum repository agent: "MD5:" and the path
    inside the model's folder. Batch size is left out of all dimensions: with a max_batch_size
    Triton adds it.
    """
    inputs = ",\n".join(_tensor(name, f"[ -1, {size} ]") for name, size in network.inputs.items())
    sizes = ", ".join(map(str, settings.preferred_batch_sizes))
    return f"""name: "{settings.server_name}"
platform: "onnxruntime_onnx"
default_model_filename: "model.onnx"
version_policy {{ all {{ }} }}
max_batch_size: {settings.max_batch_size}
input [
{inputs}
]
output [
{_tensor(network.output, f"[ {network.width} ]")}
]
dynamic_batching {{
  preferred_batch_size: [ {sizes} ]
}}
model_repository_agents {{
  agents [
    {{
      name: "checksum"
      parameters [
        {{
          key: "MD5:1/model.onnx"
          value: "{md5}"
        }}
      ]
    }}
  ]
}}
"""


def _tensor(name: str, dims: str) -> str:
    return f'  {{\n    name: "{name}"\n    data_type: TYPE_FP32\n    dims: {dims}\n  }}'
